// Does Apache Kafka's own client work unmodified against a running node?
//
// usage: java -cp 'libs/*' ClientChecks.java BOOTSTRAP REGISTRY_URL
// Prints one line per check: "ok NAME" or "failed NAME: why".

import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.ConsumerGroupDescription;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.GroupState;
import org.apache.kafka.common.InvalidRecordException;
import org.apache.kafka.common.Node;
import org.apache.kafka.common.TopicCollection;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.InvalidConfigurationException;

import org.apache.kafka.common.errors.InvalidReplicationFactorException;
import org.apache.kafka.common.errors.OffsetOutOfRangeException;
import org.apache.kafka.common.errors.RebalanceInProgressException;
import org.apache.kafka.common.errors.RecordTooLargeException;
import org.apache.kafka.common.errors.TopicExistsException;
import org.apache.kafka.common.errors.UnknownTopicIdException;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;
import org.apache.kafka.common.errors.UnsupportedVersionException;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

public class ClientChecks {
    static final long START_MS = 1_700_000_000_000L;
    static final String ORDER = "{\"type\":\"object\",\"title\":\"Order\",\"properties\":"
        + "{\"id\":{\"type\":\"integer\"},\"qty\":{\"type\":\"integer\"}},\"required\":[\"id\"]}";

    static String bootstrap;
    static String registry;
    static Admin admin;

    interface Check {
        void run() throws Exception;
    }

    public static void main(String[] args) {
        bootstrap = args[0];
        registry = args[1];
        admin = Admin.create(
            Map.of("bootstrap.servers", bootstrap, "request.timeout.ms", 10000, "default.api.timeout.ms", 20000));
        for (String codec : List.of("none", "gzip", "snappy", "lz4", "zstd")) {
            check("codec_" + codec, () -> codec(codec));
        }
        check("headers_timestamps_and_tombstones", ClientChecks::everyPartOfARecord);
        check("acks_zero_and_one", ClientChecks::weakAcks);
        check("refused_record_has_its_sentence", ClientChecks::refusedRecord);
        check("producer_goes_on_after_a_refusal", ClientChecks::goesOn);
        check("large_and_too_large_records", ClientChecks::largeRecords);
        check("transactions_are_refused", ClientChecks::transactions);
        check("group_rebalances_eager", () -> rebalance("org.apache.kafka.clients.consumer.RangeAssignor"));
        check("group_rebalances_cooperative",
            () -> rebalance("org.apache.kafka.clients.consumer.CooperativeStickyAssignor"));
        check("group_resumes_at_its_commit", ClientChecks::resumes);
        check("static_member_comes_back_without_a_rebalance", ClientChecks::staticMember);
        check("new_group_protocol_is_refused", ClientChecks::newProtocol);
        check("admin_groups", ClientChecks::adminGroups);
        check("admin_topics", ClientChecks::adminTopics);
        check("admin_configs", ClientChecks::adminConfigs);
        check("admin_list_offsets", ClientChecks::listOffsets);
        check("admin_delete_records", ClientChecks::deleteRecords);
        check("admin_cluster_and_log_dirs", ClientChecks::clusterAndLogDirs);
        check("consumer_positions", ClientChecks::positions);
        admin.close();
        // Threads of consumers whose check failed do not keep the program.
        System.exit(0);
    }

    static void check(String name, Check check) {
        long start = System.nanoTime();
        try {
            check.run();
            System.out.println("ok " + name + " (" + (System.nanoTime() - start) / 1_000_000 + " ms)");
        } catch (Throwable error) {
            System.out.println("failed " + name + ": " + String.valueOf(error).replace('\n', ' '));
            error.printStackTrace();
        }
        System.out.flush();
    }

    // ---- producing

    static void codec(String codec) throws Exception {
        String topic = create(3, Map.of());
        Set<String> sent = new HashSet<>();
        try (Producer<byte[], byte[]> producer = producer(Map.of("compression.type", codec, "linger.ms", 20))) {
            List<Future<RecordMetadata>> futures = new ArrayList<>();
            for (int i = 0; i < 2000; i++) {
                String value = ("value " + i + " ").repeat(20);
                sent.add(value);
                futures.add(producer.send(new ProducerRecord<>(topic, bytes("key " + i), bytes(value))));
            }
            for (Future<RecordMetadata> future : futures) {
                require(future.get(20, TimeUnit.SECONDS).offset() >= 0, "an acknowledged record has an offset");
            }
        }
        Set<String> got = new HashSet<>();
        Map<Integer, Long> next = new HashMap<>();
        for (ConsumerRecord<byte[], byte[]> record : readAll(topic, 3, 2000)) {
            got.add(new String(record.value(), StandardCharsets.UTF_8));
            same(next.getOrDefault(record.partition(), 0L), record.offset(), "offsets have no gap");
            next.put(record.partition(), record.offset() + 1);
        }
        same(sent, got, "values");
    }

    static void everyPartOfARecord() throws Exception {
        String topic = create(1, Map.of());
        byte[] binary = {0, -1, 127};
        try (Producer<byte[], byte[]> producer = producer(Map.of())) {
            ProducerRecord<byte[], byte[]> full = new ProducerRecord<>(topic, 0, START_MS, bytes("k"), binary);
            full.headers().add("h", binary).add("h", bytes("again")).add("none", null);
            producer.send(full);
            RecordMetadata tombstone = producer.send(
                new ProducerRecord<>(topic, 0, START_MS + 1, bytes("k"), (byte[]) null)).get();
            same(1L, tombstone.offset(), "offset of the tombstone");
        }
        List<ConsumerRecord<byte[], byte[]>> records = readAll(topic, 1, 2);
        ConsumerRecord<byte[], byte[]> first = records.get(0);
        same(START_MS, first.timestamp(), "timestamp");
        require(Arrays.equals(binary, first.value()) && Arrays.equals(bytes("k"), first.key()), "key and value");
        List<String> headers = new ArrayList<>();
        for (Header header : first.headers()) {
            headers.add(header.key() + "=" + Arrays.toString(header.value()));
        }
        same(List.of("h=[0, -1, 127]", "h=" + Arrays.toString(bytes("again")), "none=null"), headers, "headers");
        require(records.get(1).value() == null, "a tombstone stays null");
    }

    static void weakAcks() throws Exception {
        String topic = create(1, Map.of());
        for (String acks : List.of("0", "1")) {
            try (Producer<byte[], byte[]> producer = producer(Map.of("acks", acks, "enable.idempotence", false))) {
                for (int i = 0; i < 100; i++) {
                    producer.send(new ProducerRecord<>(topic, bytes("x")));
                }
            }
        }
        readAll(topic, 1, 200);
    }

    static void refusedRecord() throws Exception {
        String topic = create(1, Map.of("frazil.check.value", "payload"));
        int id = register(topic);
        try (Producer<byte[], byte[]> producer = producer(Map.of("linger.ms", 300))) {
            Future<RecordMetadata> before = producer.send(order(topic, id, "{\"id\":1,\"qty\":2}"));
            Future<RecordMetadata> bad = producer.send(order(topic, id, "{\"id\":2,\"qty\":\"two\"}"));
            Future<RecordMetadata> after = producer.send(order(topic, id, "{\"id\":3}"));
            producer.flush();
            String sentence = refusal(InvalidRecordException.class, bad).getMessage();
            require(sentence.contains("qty") && sentence.contains("value"), "the sentence names the field: " + sentence);
            System.out.println("# the Java user reads: " + sentence);
            for (Future<RecordMetadata> neighbour : List.of(before, after)) {
                Throwable error = refusal(Exception.class, neighbour);
                require(!(error instanceof InvalidRecordException), "only the bad record is called invalid: " + error);
                require(error.getMessage().contains("part of a batch"), "its neighbours are told: " + error);
            }
        }
        try (Producer<byte[], byte[]> producer = producer(Map.of("linger.ms", 300))) {
            Future<RecordMetadata> unframed = producer.send(new ProducerRecord<>(topic, 0, null, bytes("no frame")));
            Future<RecordMetadata> two = producer.send(order(topic, id, "{\"qty\":1}"));
            String first = refusal(InvalidRecordException.class, unframed).getMessage();
            String second = refusal(InvalidRecordException.class, two).getMessage();
            require(!first.equals(second) && second.contains("id"), "each has its own sentence: " + first + " / " + second);
            require(producer.send(order(topic, id, "{\"id\":4}")).get().offset() == 0, "nothing of the batches was stored");
        }
    }

    static void goesOn() throws Exception {
        String topic = create(1, Map.of("frazil.check.value", "payload"));
        int id = register(topic);
        try (Producer<byte[], byte[]> producer = producer(Map.of("linger.ms", 0))) {
            for (int i = 0; i < 10; i++) {
                boolean broken = i % 4 == 1;
                Future<RecordMetadata> future = producer.send(order(topic, id, broken ? "{}" : "{\"id\":" + i + "}"));
                if (broken) {
                    refusal(InvalidRecordException.class, future);
                } else {
                    future.get(10, TimeUnit.SECONDS);
                }
            }
        }
        // Without waiting for each: batches of a few records, several in flight behind the refused one.
        try (Producer<byte[], byte[]> producer = producer(Map.of("linger.ms", 0, "batch.size", 200))) {
            List<Future<RecordMetadata>> futures = new ArrayList<>();
            for (int i = 0; i < 200; i++) {
                futures.add(producer.send(order(topic, id, i == 50 ? "{}" : "{\"id\":" + i + "}")));
            }
            producer.flush();
            refusal(InvalidRecordException.class, futures.get(50));
            int stored = stored(futures);
            require(stored >= 180 && stored < 200, "only the bad record's batch is refused: " + stored + " of 200 stored");
            futures.get(199).get(10, TimeUnit.SECONDS);
            same(7L + stored, end(topic), "what was acknowledged is what is stored");
        }
    }

    static void largeRecords() throws Exception {
        String topic = create(1, Map.of("max.message.bytes", "4000000"));
        Map<String, Object> roomy = Map.of("max.request.size", 20_000_000);
        try (Producer<byte[], byte[]> producer = producer(roomy)) {
            producer.send(new ProducerRecord<>(topic, new byte[3_000_000])).get(20, TimeUnit.SECONDS);
            refusal(RecordTooLargeException.class, producer.send(new ProducerRecord<>(topic, new byte[5_000_000])));
            // Many small records in one large batch: the client splits it and tries again.
            producer.send(new ProducerRecord<>(topic, bytes("still alive"))).get(20, TimeUnit.SECONDS);
        }
        same(3_000_000, readAll(topic, 1, 2).get(0).value().length, "bytes of the large record");
        String tight = create(1, Map.of("max.message.bytes", "5000"));
        Map<String, Object> greedy = Map.of("batch.size", 100_000, "linger.ms", 300);
        try (Producer<byte[], byte[]> producer = producer(greedy)) {
            for (int i = 0; i < 50; i++) {
                producer.send(new ProducerRecord<>(tight, new byte[1000]));
            }
        }
        readAll(tight, 1, 50);
    }

    static void transactions() throws Exception {
        Map<String, Object> config = Map.of("transactional.id", "t", "max.block.ms", 8000);
        try (Producer<byte[], byte[]> producer = producer(config)) {
            producer.initTransactions();
        } catch (org.apache.kafka.common.errors.TimeoutException error) {
            throw new AssertionError("a transactional producer is left waiting", error);
        } catch (org.apache.kafka.common.KafkaException refused) {
            System.out.println("# transactions: " + refused);
            return;
        }
        throw new AssertionError("a transactional producer is accepted");
    }

    // ---- consumer groups

    static void rebalance(String assignor) throws Exception {
        String topic = create(4, Map.of());
        String group = fresh("g");
        ConcurrentLinkedQueue<String> seen = new ConcurrentLinkedQueue<>();
        Map<String, Object> config = Map.of("partition.assignment.strategy", assignor, "heartbeat.interval.ms", 300);
        Member first = new Member(topic, group, config, seen);
        first.until(4);
        Member second = new Member(topic, group, config, seen);
        first.until(2);
        second.until(2);
        try (Producer<byte[], byte[]> producer = producer(Map.of())) {
            for (int i = 0; i < 400; i++) {
                producer.send(new ProducerRecord<>(topic, i % 4, null, bytes(Integer.toString(i))));
            }
        }
        await("all records are seen", () -> seen.size() >= 400);
        ConsumerGroupDescription described = describe(group);
        same(GroupState.STABLE, described.groupState(), "state");
        same(List.of(2, 2), described.members().stream().map(m -> m.assignment().topicPartitions().size()).toList(), "shares");
        second.stop();
        first.until(4);
        first.stop();
        same(400, new HashSet<>(seen).size(), "different records");
        same(400, seen.size(), "each record is seen once, also across the rebalance");
    }

    static void resumes() throws Exception {
        String topic = create(1, Map.of());
        String group = fresh("g");
        fill(topic, 100);
        try (Consumer<byte[], byte[]> consumer = consumer(group, Map.of("max.poll.records", 40))) {
            consumer.subscribe(List.of(topic));
            take(consumer, 40);
            consumer.commitSync(Map.of(new TopicPartition(topic, 0), new OffsetAndMetadata(40, "forty")));
        }
        try (Consumer<byte[], byte[]> consumer = consumer(group, Map.of())) {
            consumer.subscribe(List.of(topic));
            same(40L, take(consumer, 60).get(0).offset(), "the next record");
            TopicPartition partition = new TopicPartition(topic, 0);
            OffsetAndMetadata committed = consumer.committed(Set.of(partition)).get(partition);
            same("40 forty", committed.offset() + " " + committed.metadata(), "the commit");
        }
    }

    static void staticMember() throws Exception {
        String topic = create(2, Map.of());
        String group = fresh("g");
        Map<String, Object> config = Map.of("group.instance.id", "one", "session.timeout.ms", 20000);
        int before;
        try (Consumer<byte[], byte[]> consumer = consumer(group, config)) {
            consumer.subscribe(List.of(topic));
            await("assigned", () -> !consumer.poll(Duration.ofMillis(100)).isEmpty() || consumer.assignment().size() == 2);
            before = consumer.groupMetadata().generationId();
        }
        try (Consumer<byte[], byte[]> consumer = consumer(group, config)) {
            consumer.subscribe(List.of(topic));
            await("assigned", () -> !consumer.poll(Duration.ofMillis(100)).isEmpty() || consumer.assignment().size() == 2);
            same(before, consumer.groupMetadata().generationId(), "generation");
        }
    }

    static void newProtocol() throws Exception {
        String topic = create(1, Map.of());
        try (Consumer<byte[], byte[]> consumer = consumer(fresh("g"), Map.of("group.protocol", "consumer"))) {
            consumer.subscribe(List.of(topic));
            long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(10);
            while (System.nanoTime() < end) {
                consumer.poll(Duration.ofMillis(200));
            }
        } catch (UnsupportedVersionException refused) {
            return;
        }
        throw new AssertionError("group.protocol=consumer neither works nor is refused");
    }

    /** A consumer in a thread of its own that commits what it has seen. */
    static class Member {
        final Thread thread;
        volatile boolean stopping;
        volatile int share;
        volatile Throwable failure;

        Member(String topic, String group, Map<String, Object> config, ConcurrentLinkedQueue<String> seen) {
            thread = new Thread(() -> run(topic, group, config, seen));
            thread.start();
        }

        void run(String topic, String group, Map<String, Object> config, ConcurrentLinkedQueue<String> seen) {
            try (Consumer<byte[], byte[]> consumer = consumer(group, config)) {
                consumer.subscribe(List.of(topic));
                while (!stopping) {
                    for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(100))) {
                        seen.add(new String(record.value(), StandardCharsets.UTF_8));
                    }
                    share = consumer.assignment().size();
                    try {
                        consumer.commitSync();
                    } catch (RebalanceInProgressException again) {
                        // the next poll finishes the rebalance
                    }
                }
            } catch (Throwable error) {
                failure = error;
            }
        }

        void until(int partitions) throws Exception {
            await("a share of " + partitions, () -> {
                if (failure != null) {
                    throw new AssertionError("a consumer failed", failure);
                }
                return share == partitions;
            });
        }

        void stop() throws Exception {
            stopping = true;
            thread.join(20000);
            require(failure == null, "a consumer failed: " + failure);
        }
    }

    // ---- admin

    static void adminGroups() throws Exception {
        String topic = create(2, Map.of());
        String group = fresh("g");
        fill(topic, 10);
        TopicPartition zero = new TopicPartition(topic, 0);
        try (Consumer<byte[], byte[]> consumer = consumer(group, Map.of())) {
            consumer.subscribe(List.of(topic));
            take(consumer, 10);
            consumer.commitSync();
            require(admin.listGroups().valid().get().stream().anyMatch(g -> g.groupId().equals(group)), "it is listed");
            same(1, describe(group).members().size(), "members");
            same(10L, committed(group, zero), "the committed offset");
        }
        same(GroupState.EMPTY, describe(group).groupState(), "state when all have left");
        admin.alterConsumerGroupOffsets(group, Map.of(zero, new OffsetAndMetadata(3))).all().get();
        same(3L, committed(group, zero), "the offset that was set");
        admin.deleteConsumerGroupOffsets(group, Set.of(zero)).all().get();
        require(admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get().get(zero) == null, "it is deleted");
        admin.deleteConsumerGroups(List.of(group)).all().get();
        require(admin.listGroups().all().get().stream().noneMatch(g -> g.groupId().equals(group)), "the group is gone");
    }

    static void adminTopics() throws Exception {
        String topic = create(2, Map.of());
        TopicDescription described = admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic);
        same(2, described.partitions().size(), "partitions");
        require(described.partitions().get(0).leader() != null, "a leader");
        Uuid id = described.topicId();
        var byId = admin.describeTopics(TopicCollection.ofTopicIds(List.of(id))).allTopicIds().get();
        same(topic, byId.get(id).name(), "the topic by its id");
        refusal(UnknownTopicIdException.class, admin.describeTopics(TopicCollection.ofTopicIds(List.of(Uuid.randomUuid()))).allTopicIds());
        admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(5))).all().get();
        await("five partitions", () ->
            admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic).partitions().size() == 5);
        refusal(TopicExistsException.class, admin.createTopics(List.of(new NewTopic(topic, 1, (short) 1))).all());
        refusal(InvalidReplicationFactorException.class, admin.createTopics(List.of(new NewTopic(fresh("t"), 1, (short) 3))).all());
        NewTopic sideways = new NewTopic(fresh("t"), 1, (short) 1).configs(Map.of("frazil.lake.mode", "sideways"));
        Throwable why = refusal(InvalidConfigurationException.class, admin.createTopics(List.of(sideways)).all());
        require(why.getMessage().contains("key_value"), "the message names what is legal: " + why);
        NewTopic defaults = new NewTopic(fresh("t"), Optional.empty(), Optional.empty());
        var created = admin.createTopics(List.of(defaults));
        require(created.numPartitions(defaults.name()).get() >= 1, "default partitions");
        same("1", created.replicationFactor(defaults.name()).get() + "", "default replication");
        require(created.config(defaults.name()).get().get("frazil.lake.mode") != null, "settings come back");
        require(admin.listTopics().names().get().contains(topic), "it is listed");
        admin.deleteTopics(TopicCollection.ofTopicIds(List.of(id))).all().get();
        await("it is gone", () -> !admin.listTopics().names().get().contains(topic));
        refusal(UnknownTopicOrPartitionException.class, admin.describeTopics(List.of(topic)).allTopicNames());
    }

    static void adminConfigs() throws Exception {
        String topic = create(1, Map.of("redpanda.iceberg.target.lag.ms", "5000", "retention.ms", "3600000"));
        ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
        same("5000", setting(resource, "frazil.lake.lag.ms").value(), "an alias");
        same(ConfigEntry.ConfigSource.DYNAMIC_TOPIC_CONFIG, setting(resource, "retention.ms").source(), "source");
        alter(resource, "retention.ms", "1000", AlterConfigOp.OpType.SET);
        same("1000", setting(resource, "retention.ms").value(), "changed");
        alter(resource, "retention.ms", null, AlterConfigOp.OpType.DELETE);
        same(ConfigEntry.ConfigSource.DEFAULT_CONFIG, setting(resource, "retention.ms").source(), "back to the default");
        try {
            alter(resource, "retention.ms", "soon", AlterConfigOp.OpType.SET);
            throw new AssertionError("retention.ms=soon is accepted");
        } catch (ExecutionException refused) {
            require(refused.getCause().getMessage().contains("retention.ms"), "the message names the setting: " + refused);
        }
        Node node = admin.describeCluster().nodes().get().iterator().next();
        ConfigResource broker = new ConfigResource(ConfigResource.Type.BROKER, node.idString());
        require(!admin.describeConfigs(List.of(broker)).all().get().get(broker).entries().isEmpty(), "settings of the node");
    }

    static void listOffsets() throws Exception {
        String topic = create(1, Map.of());
        TopicPartition partition = new TopicPartition(topic, 0);
        try (Producer<byte[], byte[]> producer = producer(Map.of())) {
            for (int i = 0; i < 100; i++) {
                producer.send(new ProducerRecord<>(topic, 0, START_MS + i * 1000L, null, bytes("x")));
            }
        }
        same(0L, offset(partition, OffsetSpec.earliest()), "earliest");
        same(100L, offset(partition, OffsetSpec.latest()), "latest");
        same(99L, offset(partition, OffsetSpec.maxTimestamp()), "of the greatest timestamp");
        same(51L, offset(partition, OffsetSpec.forTimestamp(START_MS + 50_500)), "by time");
        same(-1L, offset(partition, OffsetSpec.forTimestamp(START_MS + 999_000_000L)), "by a time behind the last record");
        same(0L, offset(partition, OffsetSpec.earliestLocal()), "earliest on the disk");
    }

    static void deleteRecords() throws Exception {
        String topic = create(1, Map.of());
        TopicPartition partition = new TopicPartition(topic, 0);
        fill(topic, 100);
        same(30L, admin.deleteRecords(Map.of(partition, RecordsToDelete.beforeOffset(30))).lowWatermarks().get(partition)
            .get().lowWatermark(), "the new start");
        same(30L, offset(partition, OffsetSpec.earliest()), "earliest");
        refusal(OffsetOutOfRangeException.class,
            admin.deleteRecords(Map.of(partition, RecordsToDelete.beforeOffset(101))).all());
        try (Consumer<byte[], byte[]> consumer = consumer(fresh("g"), Map.of())) {
            consumer.assign(List.of(partition));
            consumer.seek(partition, 5);
            same(30L, take(consumer, 70).get(0).offset(), "a reader of deleted records starts at the first that is left");
        }
    }

    static void clusterAndLogDirs() throws Exception {
        var cluster = admin.describeCluster();
        same(1, cluster.nodes().get().size(), "nodes");
        require(cluster.controller().get() != null && !cluster.clusterId().get().isEmpty(), "controller and cluster id");
        String topic = create(2, Map.of());
        fill(topic, 1000);
        int id = cluster.nodes().get().iterator().next().id();
        var folders = admin.describeLogDirs(List.of(id)).allDescriptions().get().get(id);
        long bytes = 0;
        for (var folder : folders.values()) {
            require(folder.error() == null, "the folder is online: " + folder.error());
            var replica = folder.replicaInfos().get(new TopicPartition(topic, 0));
            bytes += replica == null ? 0 : replica.size();
        }
        require(bytes > 0, "the partition takes room");
        admin.describeFeatures().featureMetadata().get();
    }

    static void positions() throws Exception {
        String topic = create(2, Map.of());
        fill(topic, 10);
        TopicPartition zero = new TopicPartition(topic, 0);
        TopicPartition one = new TopicPartition(topic, 1);
        try (Consumer<byte[], byte[]> consumer = consumer(fresh("g"), Map.of())) {
            same(2, consumer.partitionsFor(topic).size(), "partitions");
            same(Map.of(zero, 10L, one, 0L), consumer.endOffsets(List.of(zero, one)), "ends");
            same(Map.of(zero, 0L, one, 0L), consumer.beginningOffsets(List.of(zero, one)), "beginnings");
            same(0L, consumer.offsetsForTimes(Map.of(zero, 0L)).get(zero).offset(), "by time");
            require(consumer.offsetsForTimes(Map.of(one, 0L)).get(one) == null, "an empty partition has no time");
            consumer.assign(List.of(zero));
            consumer.seek(zero, 7);
            same(7L, take(consumer, 3).get(0).offset(), "after a seek");
            same(0L, consumer.currentLag(zero).getAsLong(), "lag");
        }
    }

    // ---- small helpers

    static Producer<byte[], byte[]> producer(Map<String, Object> more) {
        Map<String, Object> config = new HashMap<>(Map.of("bootstrap.servers", bootstrap, "delivery.timeout.ms", 30000,
            "request.timeout.ms", 20000, "linger.ms", 5));
        config.putAll(more);
        return new KafkaProducer<>(config, new ByteArraySerializer(), new ByteArraySerializer());
    }

    static Consumer<byte[], byte[]> consumer(String group, Map<String, Object> more) {
        Map<String, Object> config = new HashMap<>(Map.of("bootstrap.servers", bootstrap, "group.id", group,
            "auto.offset.reset", "earliest", "enable.auto.commit", false));
        config.putAll(more);
        return new KafkaConsumer<>(config, new ByteArrayDeserializer(), new ByteArrayDeserializer());
    }

    static String create(int partitions, Map<String, String> config) throws Exception {
        String topic = fresh("java");
        admin.createTopics(List.of(new NewTopic(topic, partitions, (short) 1).configs(config))).all().get(20, TimeUnit.SECONDS);
        return topic;
    }

    /** Numbered records in partition 0. */
    static void fill(String topic, int count) {
        try (Producer<byte[], byte[]> producer = producer(Map.of())) {
            for (int i = 0; i < count; i++) {
                producer.send(new ProducerRecord<>(topic, 0, null, bytes(Integer.toString(i))));
            }
        }
    }

    static List<ConsumerRecord<byte[], byte[]>> readAll(String topic, int partitions, int count) {
        try (Consumer<byte[], byte[]> consumer = consumer(fresh("g"), Map.of())) {
            List<TopicPartition> all = new ArrayList<>();
            for (int i = 0; i < partitions; i++) {
                all.add(new TopicPartition(topic, i));
            }
            consumer.assign(all);
            return take(consumer, count);
        }
    }

    static List<ConsumerRecord<byte[], byte[]>> take(Consumer<byte[], byte[]> consumer, int count) {
        List<ConsumerRecord<byte[], byte[]>> records = new ArrayList<>();
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(30);
        while (records.size() < count && System.nanoTime() < end) {
            consumer.poll(Duration.ofMillis(200)).forEach(records::add);
        }
        same(count, records.size(), "records");
        return records;
    }

    static ProducerRecord<byte[], byte[]> order(String topic, int id, String json) {
        byte[] text = bytes(json);
        byte[] value = java.nio.ByteBuffer.allocate(5 + text.length).put((byte) 0).putInt(id).put(text).array();
        return new ProducerRecord<>(topic, 0, null, value);
    }

    static int register(String topic) throws Exception {
        String body = "{\"schemaType\":\"JSON\",\"schema\":\"" + ORDER.replace("\"", "\\\"") + "\"}";
        HttpRequest request = HttpRequest.newBuilder(URI.create(registry + "/subjects/" + topic + "-value/versions"))
            .header("Content-Type", "application/vnd.schemaregistry.v1+json").POST(HttpRequest.BodyPublishers.ofString(body)).build();
        String answer = HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString()).body();
        java.util.regex.Matcher id = java.util.regex.Pattern.compile("\"id\":(\\d+)").matcher(answer);
        require(id.find(), "the registry answers with an id: " + answer);
        return Integer.parseInt(id.group(1));
    }

    /** Why a request was refused; fails when it was not, or for another reason. */
    static Throwable refusal(Class<? extends Throwable> kind, java.util.concurrent.Future<?> future) throws Exception {
        try {
            future.get(20, TimeUnit.SECONDS);
        } catch (ExecutionException refused) {
            require(kind.isInstance(refused.getCause()), "refused as " + refused.getCause() + ", not as " + kind.getSimpleName());
            return refused.getCause();
        }
        throw new AssertionError("accepted, where a refusal was due: " + kind.getSimpleName());
    }

    static Throwable refusal(Class<? extends Throwable> kind, org.apache.kafka.common.KafkaFuture<?> future) throws Exception {
        return refusal(kind, future.toCompletionStage().toCompletableFuture());
    }

    static int stored(List<Future<RecordMetadata>> futures) throws Exception {
        int stored = 0;
        for (Future<RecordMetadata> future : futures) {
            try {
                future.get(1, TimeUnit.SECONDS);
                stored++;
            } catch (ExecutionException refused) {
                // its batch was the bad record's
            }
        }
        return stored;
    }

    static Long end(String topic) throws Exception {
        return offset(new TopicPartition(topic, 0), OffsetSpec.latest());
    }

    static Long offset(TopicPartition partition, OffsetSpec spec) throws Exception {
        return admin.listOffsets(Map.of(partition, spec)).partitionResult(partition).get(20, TimeUnit.SECONDS).offset();
    }

    static ConsumerGroupDescription describe(String group) throws Exception {
        return admin.describeConsumerGroups(List.of(group)).all().get().get(group);
    }

    static Long committed(String group, TopicPartition partition) throws Exception {
        return admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get().get(partition).offset();
    }

    static ConfigEntry setting(ConfigResource resource, String name) throws Exception {
        return admin.describeConfigs(List.of(resource)).all().get().get(resource).get(name);
    }

    static void alter(ConfigResource resource, String name, String value, AlterConfigOp.OpType op) throws Exception {
        AlterConfigOp change = new AlterConfigOp(new ConfigEntry(name, value), op);
        admin.incrementalAlterConfigs(Map.of(resource, List.of(change))).all().get();
    }

    static String fresh(String prefix) {
        return prefix + "_" + UUID.randomUUID().toString().substring(0, 8);
    }

    static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    interface Condition {
        boolean holds() throws Exception;
    }

    static void await(String what, Condition condition) throws Exception {
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(40);
        while (!condition.holds()) {
            require(System.nanoTime() < end, what + ": not within 40 s");
            Thread.sleep(50);
        }
    }

    static void require(boolean holds, String what) {
        if (!holds) {
            throw new AssertionError(what);
        }
    }

    static void same(Object wanted, Object got, String what) {
        require(wanted.equals(got), what + ": " + got + " instead of " + wanted);
    }
}
