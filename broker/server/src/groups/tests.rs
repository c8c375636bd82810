//! Do members come to share generations, and do offsets survive, whatever happens in between?

use bytes::Bytes;
use kafka_protocol::ResponseError;

use super::*;

/// A coordinator with a clock, whose writes succeed at once unless they are held back.
struct Bench {
    coordinator: Coordinator,
    now_ms: i64,
    tokens: u64,
    replies: Vec<(Token, Reply)>,
    log: Vec<GroupRecord>,
    write_fails: bool,
    /// Writes are kept back here until they are let go.
    held: Option<Vec<Ticket>>,
}

impl Bench {
    fn new(settings: GroupSettings) -> Bench {
        let coordinator = Coordinator::new(settings);
        Bench {
            coordinator,
            now_ms: 1_000,
            tokens: 0,
            replies: Vec::new(),
            log: Vec::new(),
            write_fails: false,
            held: None,
        }
    }

    fn ask(&mut self, request: Request) -> Token {
        self.tokens += 1;
        let token = Token(self.tokens);
        let effects = self.coordinator.handle(self.now_ms, token, request, &format!("id{}", self.tokens));
        self.perform(effects);
        token
    }

    fn perform(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Reply(token, reply) => self.replies.push((token, reply)),
                Effect::Persist { ticket, records, .. } => {
                    if !self.write_fails {
                        self.log.extend(records);
                    }
                    match &mut self.held {
                        Some(held) => held.push(ticket),
                        None => self.finish(ticket),
                    }
                }
            }
        }
    }

    fn finish(&mut self, ticket: Ticket) {
        let effects = self.coordinator.persisted(self.now_ms, ticket, !self.write_fails);
        self.perform(effects);
    }

    fn pass(&mut self, ms: i64) {
        let end = self.now_ms + ms;
        while let Some(at) = self.coordinator.next_deadline_ms().filter(|at| *at <= end) {
            self.now_ms = at.max(self.now_ms);
            let effects = self.coordinator.tick(self.now_ms);
            self.perform(effects);
        }
        self.now_ms = end;
    }

    fn taken(&mut self, token: Token) -> Option<Reply> {
        let at = self.replies.iter().position(|(t, _)| *t == token)?;
        Some(self.replies.remove(at).1)
    }

    fn joined(&mut self, token: Token) -> Joined {
        match self.taken(token) {
            Some(Reply::Join(Ok(joined))) => joined,
            other => panic!("no join but {other:?}"),
        }
    }

    fn synced(&mut self, token: Token) -> Result<Bytes, ResponseError> {
        match self.taken(token) {
            Some(Reply::Sync(answer)) => answer.map(|synced| synced.assignment),
            other => panic!("no sync but {other:?}"),
        }
    }

    /// One member that owns everything: (member id, generation).
    fn settle(&mut self, group: &str) -> (String, i32) {
        let token = self.ask(join(group, "", None));
        let joined = self.joined(token);
        let token = self.ask(sync(group, &joined.member, joined.generation, &[(&joined.member, "all")]));
        assert_eq!(self.synced(token), Ok(Bytes::from("all")));
        (joined.member, joined.generation)
    }

    fn heartbeat(&mut self, group: &str, member: &str, generation: i32) -> Result<(), ResponseError> {
        let (group, member) = (group.to_owned(), member.to_owned());
        let token = self.ask(Request::Heartbeat { group, member, instance: None, generation });
        match self.taken(token) {
            Some(Reply::Heartbeat(answer)) => answer,
            other => panic!("no heartbeat but {other:?}"),
        }
    }
}

fn join(group: &str, member: &str, instance: Option<&str>) -> Request {
    Request::Join(Join {
        group: group.into(),
        member: member.into(),
        instance: instance.map(str::to_owned),
        client_id: "client".into(),
        client_host: "/127.0.0.1".into(),
        session_timeout_ms: 10_000,
        rebalance_timeout_ms: 30_000,
        protocol_type: "consumer".into(),
        protocols: vec![("range".into(), Bytes::from_static(b"\0\0\0\0\0\x01\0\x01t"))],
        id_required: false,
        may_skip_assignment: false,
    })
}

fn sync(group: &str, member: &str, generation: i32, assignments: &[(&str, &'static str)]) -> Request {
    Request::Sync(Sync {
        group: group.into(),
        member: member.into(),
        instance: None,
        generation,
        protocol_type: None,
        protocol: None,
        assignments: assignments.iter().map(|(id, a)| ((*id).to_owned(), Bytes::from(*a))).collect(),
    })
}

fn commit(group: &str, member: &str, generation: i32, offset: i64) -> Request {
    let offset = CommitOffset { place: ("t".into(), 0), offset, leader_epoch: 0, metadata: "note".into() };
    Request::Commit(Commit {
        group: group.into(),
        member: member.into(),
        instance: None,
        generation,
        offsets: vec![offset],
    })
}

#[test]
fn two_members_share_a_generation_and_get_what_the_leader_assigned() {
    let mut bench = Bench::new(GroupSettings::default());
    let (first, generation) = bench.settle("g");
    let second = bench.ask(join("g", "", None));
    assert_eq!(bench.taken(second), None, "the first member must join again before");
    assert_eq!(bench.heartbeat("g", &first, generation), Err(ResponseError::RebalanceInProgress));
    let again = bench.ask(join("g", &first, None));
    let (first_joined, second_joined) = (bench.joined(again), bench.joined(second));
    assert_eq!(first_joined.generation, generation + 1);
    assert_eq!(second_joined.generation, generation + 1);
    assert_eq!(first_joined.leader, first);
    assert_eq!((first_joined.members.len(), second_joined.members.len()), (2, 0));
    let follower = bench.ask(sync("g", &second_joined.member, generation + 1, &[]));
    assert_eq!(bench.taken(follower), None, "nothing is assigned yet");
    let leader = sync("g", &first, generation + 1, &[(&first, "a"), (&second_joined.member, "b")]);
    let leader = bench.ask(leader);
    assert_eq!(bench.synced(leader), Ok(Bytes::from("a")));
    assert_eq!(bench.synced(follower), Ok(Bytes::from("b")));
    assert_eq!(bench.heartbeat("g", &first, generation), Err(ResponseError::IllegalGeneration));
    assert_eq!(bench.heartbeat("g", &first, generation + 1), Ok(()));
}

#[test]
fn a_silent_member_is_dropped_and_the_rest_go_on() {
    let mut bench = Bench::new(GroupSettings::default());
    let (first, generation) = bench.settle("g");
    let second = bench.ask(join("g", "", None));
    bench.pass(30_001);
    let joined = bench.joined(second);
    assert!(joined.generation > generation, "the join phase ended without the first");
    assert_eq!(joined.leader, joined.member);
    assert_eq!(bench.heartbeat("g", &first, generation), Err(ResponseError::UnknownMemberId));
    bench.pass(60_000);
    let token = bench.ask(Request::Describe { group: "g".into() });
    assert!(matches!(bench.taken(token), Some(Reply::Describe(Ok(d))) if d.state == "Empty" && d.members.is_empty()));
}

#[test]
fn a_new_member_is_told_its_id_first() {
    let mut bench = Bench::new(GroupSettings::default());
    let Request::Join(mut first) = join("g", "", None) else { unreachable!() };
    first.id_required = true;
    let token = bench.ask(Request::Join(first.clone()));
    let Some(Reply::Join(Err((ResponseError::MemberIdRequired, id)))) = bench.taken(token) else {
        panic!("an id was expected")
    };
    first.member = id.clone();
    let token = bench.ask(Request::Join(first));
    assert_eq!(bench.joined(token).member, id);
    let token = bench.ask(join("g", "stranger", None));
    assert!(matches!(bench.taken(token), Some(Reply::Join(Err((ResponseError::UnknownMemberId, _))))));
}

#[test]
fn a_new_group_waits_for_more_members_if_told_to() {
    let mut bench = Bench::new(GroupSettings { initial_rebalance_delay_ms: 3_000, ..GroupSettings::default() });
    let first = bench.ask(join("g", "", None));
    bench.pass(1_000);
    let second = bench.ask(join("g", "", None));
    assert_eq!(bench.taken(first), None);
    bench.pass(4_000);
    assert_eq!(bench.joined(first).generation, bench.joined(second).generation);
}

#[test]
fn a_static_member_returns_without_a_rebalance_and_fences_its_past() {
    let mut bench = Bench::new(GroupSettings::default());
    let token = bench.ask(join("g", "", Some("one")));
    let old = bench.joined(token);
    let token = bench.ask(sync("g", &old.member, old.generation, &[(&old.member, "all")]));
    assert_eq!(bench.synced(token), Ok(Bytes::from("all")));
    let token = bench.ask(join("g", "", Some("one")));
    let new = bench.joined(token);
    assert_eq!(new.generation, old.generation);
    assert_ne!(new.member, old.member);
    let token = bench.ask(Request::Heartbeat {
        group: "g".into(),
        member: old.member,
        instance: Some("one".into()),
        generation: old.generation,
    });
    assert_eq!(bench.taken(token), Some(Reply::Heartbeat(Err(ResponseError::FencedInstanceId))));
    let token = bench.ask(sync("g", &new.member, new.generation, &[]));
    assert_eq!(bench.synced(token), Ok(Bytes::from("all")), "its assignment is kept");
}

#[test]
fn members_without_a_common_protocol_are_refused() {
    let mut bench = Bench::new(GroupSettings::default());
    bench.settle("g");
    let Request::Join(mut other) = join("g", "", None) else { unreachable!() };
    other.protocols = vec![("sticky".into(), Bytes::new())];
    let token = bench.ask(Request::Join(other));
    assert!(matches!(bench.taken(token), Some(Reply::Join(Err((ResponseError::InconsistentGroupProtocol, _))))));
}

#[test]
fn offsets_and_members_survive_a_restart() {
    let mut bench = Bench::new(GroupSettings::default());
    let (member, generation) = bench.settle("g");
    let token = bench.ask(commit("g", &member, generation, 42));
    assert_eq!(bench.taken(token), Some(Reply::Commit(vec![(("t".into(), 0), None)])));
    let mut restarted = Bench::new(GroupSettings::default());
    for record in &bench.log {
        restarted.coordinator.replay(&record.key, record.value.as_deref(), 2_000);
    }
    assert_eq!(restarted.heartbeat("g", &member, generation), Ok(()));
    let token = restarted.ask(Request::Offsets { group: "g".into(), places: None });
    let wanted = Offsets(vec![(("t".into(), 0), Some((42, 0, "note".into())))]);
    assert_eq!(restarted.taken(token), Some(Reply::Offsets(wanted)));
}

#[test]
fn a_commit_that_was_not_written_does_not_count() {
    let mut bench = Bench::new(GroupSettings::default());
    let (member, generation) = bench.settle("g");
    bench.write_fails = true;
    let token = bench.ask(commit("g", &member, generation, 7));
    let failed = Some(ResponseError::CoordinatorNotAvailable);
    assert_eq!(bench.taken(token), Some(Reply::Commit(vec![(("t".into(), 0), failed)])));
    let token = bench.ask(Request::Offsets { group: "g".into(), places: Some(vec![("t".into(), 0)]) });
    assert_eq!(bench.taken(token), Some(Reply::Offsets(Offsets(vec![(("t".into(), 0), None)]))));
}

#[test]
fn commits_of_strangers_and_of_the_past_are_refused() {
    let mut bench = Bench::new(GroupSettings::default());
    let (member, generation) = bench.settle("g");
    for (who, when, wanted) in [
        (member.as_str(), generation - 1, ResponseError::IllegalGeneration),
        ("stranger", generation, ResponseError::UnknownMemberId),
        ("", -1, ResponseError::UnknownMemberId),
    ] {
        let token = bench.ask(commit("g", who, when, 1));
        assert_eq!(bench.taken(token), Some(Reply::Commit(vec![(("t".into(), 0), Some(wanted))])));
    }
    let token = bench.ask(commit("alone", "", -1, 5));
    assert_eq!(bench.taken(token), Some(Reply::Commit(vec![(("t".into(), 0), None)])), "no group, no members: fine");
}

#[test]
fn only_an_empty_group_can_be_deleted() {
    let mut bench = Bench::new(GroupSettings::default());
    let (member, generation) = bench.settle("g");
    bench.ask(commit("g", &member, generation, 42));
    let token = bench.ask(Request::Delete { group: "g".into() });
    assert_eq!(bench.taken(token), Some(Reply::Delete(Err(ResponseError::NonEmptyGroup))));
    let token = bench.ask(Request::DeleteOffsets { group: "g".into(), places: vec![("t".into(), 0), ("u".into(), 0)] });
    let subscribed = Some(ResponseError::GroupSubscribedToTopic);
    let wanted = vec![(("t".into(), 0), subscribed), (("u".into(), 0), None)];
    assert_eq!(bench.taken(token), Some(Reply::DeleteOffsets(Ok(wanted))));
    bench.ask(Request::Leave(Leave { group: "g".into(), members: vec![LeaveMember { member, instance: None }] }));
    let token = bench.ask(Request::Delete { group: "g".into() });
    assert_eq!(bench.taken(token), Some(Reply::Delete(Ok(()))));
    let mut restarted = Bench::new(GroupSettings::default());
    for record in &bench.log {
        restarted.coordinator.replay(&record.key, record.value.as_deref(), 2_000);
    }
    let token = restarted.ask(Request::List { states: vec![], types: vec![] });
    assert_eq!(restarted.taken(token), Some(Reply::List(vec![])));
}

#[test]
fn offsets_in_deleted_topics_go_and_so_do_groups_that_had_no_others() {
    let mut bench = Bench::new(GroupSettings::default());
    let (member, generation) = bench.settle("live");
    bench.ask(commit("live", &member, generation, 42));
    bench.ask(commit("alone", "", -1, 5));
    let effects = bench.coordinator.forget_topics(|topic| topic == "u");
    assert_eq!(effects, [], "nothing of it is known");
    let effects = bench.coordinator.forget_topics(|topic| topic == "t");
    assert_eq!(effects.len(), 2);
    bench.perform(effects);
    let mut restarted = Bench::new(GroupSettings::default());
    for record in &bench.log {
        restarted.coordinator.replay(&record.key, record.value.as_deref(), 2_000);
    }
    for bench in [&mut bench, &mut restarted] {
        let token = bench.ask(Request::Offsets { group: "live".into(), places: None });
        assert_eq!(bench.taken(token), Some(Reply::Offsets(Offsets(vec![]))));
        assert_eq!(bench.heartbeat("live", &member, generation), Ok(()), "members stay");
        let token = bench.ask(Request::List { states: vec![], types: vec![] });
        let Some(Reply::List(listed)) = bench.taken(token) else { panic!("a list is answered") };
        assert_eq!(listed.iter().map(|group| group.group.as_str()).collect::<Vec<_>>(), ["live"]);
    }
}

#[test]
fn half_written_records_are_passed_over() {
    let stored = record::StoredOffset { offset: 1, leader_epoch: 0, metadata: "m".into(), committed_at_ms: 2 };
    let whole = record::offset_record("g", &("t".into(), 3), Some(&stored));
    let value = whole.value.as_ref().unwrap();
    for cut in 0..value.len() {
        assert_eq!(record::parse(&whole.key, Some(&value[..cut])), None);
    }
    for cut in 0..whole.key.len() {
        assert_eq!(record::parse(&whole.key[..cut], Some(value)), None);
    }
}

#[test]
fn names_without_measure_do_no_harm() {
    let mut bench = Bench::new(GroupSettings::default());
    let long = "g".repeat(40_000);
    let token = bench.ask(commit(&long, "", -1, 1));
    let invalid = Some(ResponseError::InvalidGroupId);
    assert_eq!(bench.taken(token), Some(Reply::Commit(vec![(("t".into(), 0), invalid)])));
    let Request::Join(mut join) = join("g", "", None) else { unreachable!() };
    join.client_id = "ü".repeat(30_000);
    let token = bench.ask(Request::Join(join));
    let joined = bench.joined(token);
    assert!(joined.member.len() < 400);
    let token = bench.ask(sync("g", &joined.member, joined.generation, &[(&joined.member, "all")]));
    assert_eq!(bench.synced(token), Ok(Bytes::from("all")));
    assert!(bench.log.iter().all(|record| record::parse(&record.key, record.value.as_deref()).is_some()));
}

#[test]
fn a_place_named_twice_is_written_once_and_too_many_are_refused() {
    let mut bench = Bench::new(GroupSettings::default());
    let place = |offset| CommitOffset { place: ("t".into(), 0), offset, leader_epoch: 0, metadata: String::new() };
    let whole = |offsets| Commit { group: "g".into(), member: String::new(), instance: None, generation: -1, offsets };
    let token = bench.ask(Request::Commit(whole((0..1000).map(place).collect())));
    assert!(matches!(bench.taken(token), Some(Reply::Commit(answers)) if answers.len() == 1000));
    assert_eq!(bench.log.len(), 1);
    let token = bench.ask(Request::Offsets { group: "g".into(), places: None });
    let wanted = Offsets(vec![(("t".into(), 0), Some((999, 0, String::new())))]);
    assert_eq!(bench.taken(token), Some(Reply::Offsets(wanted)));
    let token = bench.ask(Request::Commit(whole((0..300_000).map(place).collect())));
    let refused = Some(ResponseError::InvalidRequest);
    assert!(matches!(bench.taken(token), Some(Reply::Commit(answers)) if answers[0].1 == refused));
}

#[test]
fn a_member_that_joins_while_its_group_is_deleted_is_not_forgotten() {
    let mut bench = Bench::new(GroupSettings::default());
    bench.ask(commit("g", "", -1, 5));
    bench.held = Some(Vec::new());
    let deletion = bench.ask(Request::Delete { group: "g".into() });
    let token = bench.ask(join("g", "", None));
    let joined = bench.joined(token);
    let first = bench.ask(sync("g", &joined.member, joined.generation, &[(&joined.member, "all")]));
    let second = bench.ask(sync("g", &joined.member, joined.generation, &[(&joined.member, "all")]));
    assert_eq!(bench.synced(first), Err(ResponseError::RebalanceInProgress), "asked again, answered once");
    for ticket in bench.held.take().unwrap() {
        bench.finish(ticket);
    }
    assert_eq!(bench.taken(deletion), Some(Reply::Delete(Ok(()))));
    assert_eq!(bench.synced(second), Ok(Bytes::from("all")));
    assert_eq!(bench.heartbeat("g", &joined.member, joined.generation), Ok(()));
    let token = bench.ask(Request::Offsets { group: "g".into(), places: None });
    assert_eq!(bench.taken(token), Some(Reply::Offsets(Offsets(vec![]))));
}
