import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * An idempotent producer that keeps sending through anything, until its standard input ends.
 * usage: Storm BOOTSTRAP NAME TOPIC:PARTITIONS...
 * Prints "TOPIC PARTITION OFFSET NUMBER" per acknowledgement, at the end "sent COUNT" or "failed WHY".
 */
public class Storm {
    public static void main(String[] args) throws Exception {
        PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
        AtomicReference<Exception> failed = new AtomicReference<>();
        Map<String, Object> config = Map.of("bootstrap.servers", args[0], "enable.idempotence", true, "linger.ms", 2,
            "delivery.timeout.ms", 180_000, "max.block.ms", 180_000, "reconnect.backoff.max.ms", 300);
        Thread reader = new Thread(() -> {
            try {
                while (System.in.read() >= 0) { }
            } catch (java.io.IOException ignored) { }
        });
        reader.start();
        long number = 0;
        try (var producer = new KafkaProducer<>(config, new ByteArraySerializer(), new ByteArraySerializer())) {
            while (reader.isAlive() && failed.get() == null) {
                for (int t = 2; t < args.length; t++) {
                    String[] topic = args[t].split(":");
                    int partition = (int) (number % Integer.parseInt(topic[1]));
                    long mine = number++;
                    String value = args[1] + " " + mine + " " + "x".repeat(ThreadLocalRandom.current().nextInt(300));
                    var record = new ProducerRecord<byte[], byte[]>(topic[0], partition, null, value.getBytes(StandardCharsets.UTF_8));
                    producer.send(record, (stored, error) -> {
                        if (error != null) {
                            failed.compareAndSet(null, error);
                            return;
                        }
                        out.println(stored.topic() + " " + stored.partition() + " " + stored.offset() + " " + mine);
                    });
                }
                if (number % 20 < args.length - 2) {
                    Thread.sleep(10);
                }
            }
            producer.flush();
        }
        out.println(failed.get() == null ? "sent " + number : "failed " + failed.get());
        out.flush();
        System.exit(0);
    }
}
