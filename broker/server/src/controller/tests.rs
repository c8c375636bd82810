//! Does the controller decide and remember what it should?

use super::*;

fn name(text: &str) -> TopicName {
    TopicName::new(text).unwrap()
}

fn context(fresh: u128) -> Context {
    Context { now_ms: 17, fresh: Uuid::from_u128(fresh), shards: 3 }
}

fn new_topic(text: &str, partitions: i32) -> NewTopic {
    let settings = TopicSettings::default();
    NewTopic { name: name(text), partitions, settings, validate_only: false, by_node: false }
}

/// Decides, sends the records through their encoding, applies them.
fn run(controller: &mut Controller, command: Command, fresh: u128) -> Result<Outcome, ControllerError> {
    let (records, outcome) = controller.decide(&command, context(fresh))?;
    for record in records {
        let again = Record::decode(&record.encode()).unwrap();
        assert_eq!(record, again);
        controller.apply(&again);
    }
    Ok(outcome)
}

#[test]
fn partitions_get_numbers_that_are_never_used_again() {
    let mut controller = Controller::default();
    run(&mut controller, Command::Create(new_topic("a", 2)), 1).unwrap();
    run(&mut controller, Command::Delete { name: name("a") }, 2).unwrap();
    let outcome = run(&mut controller, Command::Create(new_topic("a", 2)), 3).unwrap();
    let Outcome::Topic(topic) = outcome else { panic!("a topic is answered") };
    assert_eq!(topic.partitions.iter().map(|p| p.id.0).collect::<Vec<_>>(), [3, 4]);
    assert_eq!(topic.id, TopicId(Uuid::from_u128(3)));
    assert!(controller.cluster().topic_by_id(TopicId(Uuid::from_u128(1))).is_none());
}

#[test]
fn partitions_are_spread_over_the_shards() {
    let mut controller = Controller::default();
    run(&mut controller, Command::Create(new_topic("spread", 3)), 1).unwrap();
    run(&mut controller, Command::Grow { name: name("spread"), total: 6, validate_only: false }, 2).unwrap();
    let topic = controller.cluster().topic("spread").unwrap();
    let mut counts = [0; 3];
    topic.partitions.iter().for_each(|p| counts[usize::from(p.shard.0)] += 1);
    assert_eq!(counts, [2, 2, 2]);
}

#[test]
fn wrong_numbers_of_partitions_are_refused() {
    let mut controller = Controller::default();
    for partitions in [0, -1, PARTITIONS_PER_TOPIC_MAX + 1] {
        let error = run(&mut controller, Command::Create(new_topic("a", partitions)), 1).unwrap_err();
        assert!(matches!(error, ControllerError::Partitions(_)), "{error}");
    }
    run(&mut controller, Command::Create(new_topic("a", 4)), 1).unwrap();
    let grow = Command::Grow { name: name("a"), total: 4, validate_only: false };
    assert!(matches!(run(&mut controller, grow, 2), Err(ControllerError::Partitions(_))));
}

#[test]
fn a_node_has_a_limited_number_of_partitions() {
    let mut controller = Controller::default();
    for index in 0..PARTITIONS_PER_NODE_MAX as i32 / PARTITIONS_PER_TOPIC_MAX {
        let new = new_topic(&format!("t{index}"), PARTITIONS_PER_TOPIC_MAX);
        run(&mut controller, Command::Create(new), index as u128).unwrap();
    }
    assert!(run(&mut controller, Command::Create(new_topic("one-more", 1)), 99).is_err());
    run(&mut controller, Command::Delete { name: name("t0") }, 100).unwrap();
    run(&mut controller, Command::Create(new_topic("one-more", 1)), 101).unwrap();
}

#[test]
fn validation_alone_changes_nothing() {
    let mut controller = Controller::default();
    let new = NewTopic { validate_only: true, ..new_topic("a", 4) };
    run(&mut controller, Command::Create(new), 1).unwrap();
    assert_eq!(controller, Controller::default());
}

#[test]
fn internal_topics_are_the_nodes_own() {
    let mut controller = Controller::default();
    let create = Command::Create(new_topic("_schemas", 1));
    assert!(matches!(run(&mut controller, create, 1), Err(ControllerError::Reserved(_))));
    let by_node = NewTopic { by_node: true, ..new_topic("_schemas", 1) };
    run(&mut controller, Command::Create(by_node), 1).unwrap();
    let delete = Command::Delete { name: name("_schemas") };
    assert!(matches!(run(&mut controller, delete, 2), Err(ControllerError::Reserved(_))));
}

#[test]
fn settings_change_one_by_one_or_all_at_once() {
    let mut controller = Controller::default();
    run(&mut controller, Command::Create(new_topic("a", 1)), 1).unwrap();
    let mut alter = |changes| {
        let command = Command::Alter { name: name("a"), changes, validate_only: false };
        match run(&mut controller, command, 9)? {
            Outcome::Topic(topic) => Ok::<_, ControllerError>(topic.settings.clone()),
            other => panic!("a topic is answered, not {other:?}"),
        }
    };
    let edit = |name: &str, operation, value: &str| Edit { name: name.into(), operation, value: value.into() };
    let settings = alter(Changes::Edit(vec![
        edit("retention.ms", Operation::Set, "5"),
        edit("cleanup.policy", Operation::Append, "compact"),
    ]))
    .unwrap();
    assert_eq!((settings.get("retention.ms"), settings.get("cleanup.policy")), ("5", "delete,compact"));
    let settings = alter(Changes::Edit(vec![
        edit("retention.ms", Operation::Delete, ""),
        edit("cleanup.policy", Operation::Subtract, "delete"),
    ]))
    .unwrap();
    assert_eq!((settings.get("retention.ms"), settings.get("cleanup.policy")), ("604800000", "compact"));
    assert!(alter(Changes::Edit(vec![edit("retention.ms", Operation::Append, "5")])).is_err());
    assert!(alter(Changes::Edit(vec![edit("retention.minutes", Operation::Set, "5")])).is_err());
    let settings = alter(Changes::Replace(vec![("retention.bytes".into(), "7".into())])).unwrap();
    assert_eq!(settings.overrides().collect::<Vec<_>>(), [("retention.bytes", "7")]);
}

#[test]
fn producer_ids_are_given_out_once() {
    let mut controller = Controller::default();
    let first = run(&mut controller, Command::ProducerIds { count: 100 }, 1).unwrap();
    let second = run(&mut controller, Command::ProducerIds { count: 100 }, 1).unwrap();
    assert_eq!((first, second), (Outcome::ProducerIds(1000), Outcome::ProducerIds(1100)));
}

#[test]
fn records_of_a_newer_program_are_refused_with_advice() {
    let error = Record::decode(br#"{"version":2,"record":{"cluster":{"id":"x"}}}"#).unwrap_err();
    assert!(error.message.contains("newer program"), "{error}");
    assert!(Record::decode(b"{}").is_err());
}
