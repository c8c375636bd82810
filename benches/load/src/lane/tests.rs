//! Does a lane keep to its schedule, and does it tell the truth about a broker that stalls, refuses or hangs up?

use std::time::Duration;

use kafka_protocol::messages::produce_response::{PartitionProduceResponse, TopicProduceResponse};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use wire::{Compression, request};

use super::*;
use crate::clock::NANOS_PER_S;
use crate::payload::{Shape, batch, request as produce};
use crate::schedule::Window;

/// What the broker of a test does with request number `n`.
type Behaviour = fn(usize) -> Answer;

enum Answer {
    Code(i16),
    After(Duration),
    HangUp,
    Never,
}

/// Serves one connection; answers the most requests that ever lay unanswered in one read.
async fn serve(listener: TcpListener, behaviour: Behaviour) -> usize {
    let (mut socket, _) = listener.accept().await.unwrap();
    let (mut received, mut served, mut deepest) = (BytesMut::new(), 0, 0);
    while socket.read_buf(&mut received).await.unwrap_or(0) > 0 {
        let mut depth = 0;
        while let Some(frame) = frame::take(&mut received, 1 << 20).unwrap() {
            depth += 1;
            let (head, _) = request::split_head(frame).unwrap();
            let code = match behaviour(served) {
                Answer::Code(code) => code,
                Answer::After(wait) => {
                    tokio::time::sleep(wait).await;
                    0
                }
                Answer::HangUp => return deepest,
                Answer::Never => std::future::pending().await,
            };
            served += 1;
            let partition = PartitionProduceResponse::default().with_index(head.correlation_id).with_error_code(code);
            let topic = TopicProduceResponse::default().with_partition_responses(vec![partition]);
            let message = ProduceResponse::default().with_responses(vec![topic]);
            let answer = response::encode(&head, PRODUCE_VERSION, 0, &message).unwrap();
            socket.write_all(&answer).await.unwrap();
        }
        deepest = deepest.max(depth);
    }
    deepest
}

async fn run(pace: Pace, duration_ms: u64, behaviour: Behaviour) -> (Result<Tally>, usize) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap().to_string();
    let broker = tokio::spawn(serve(listener, behaviour));
    let shape = Shape { records: 1, record_bytes: 100, key_bytes: 8, codec: Compression::None };
    let requests = (0..3).map(|p| produce("t", p, -1, batch(shape, 1, 0)).unwrap()).collect();
    let start_ns = now_ns();
    let end_ns = start_ns + duration_ms * 1_000_000;
    let window = Window { start_ns, measured_ns: start_ns, end_ns, give_up_ns: end_ns + NANOS_PER_S };
    let socket = connect(&addr).await.unwrap();
    let tally = Lane::new(socket, requests, 5, Slots::new(pace, window, 0, 1)).unwrap().run().await;
    let depth = tokio::time::timeout(Duration::from_secs(5), broker).await.map_or(0, Result::unwrap);
    (tally, depth)
}

fn count(tally: &Tally) -> u64 {
    tally.latency.figures()["count"].as_u64().unwrap()
}

#[tokio::test]
async fn all_slots_are_sent_and_measured() {
    let (tally, _) = run(Pace::Open { per_s: 200.0 }, 300, |_| Answer::Code(0)).await;
    let tally = tally.unwrap();
    assert_eq!((count(&tally), tally.late, tally.failed), (60, 0, 0));
}

#[tokio::test]
async fn a_stall_is_charged_to_every_request_that_it_held_up() {
    let stall = |n| if n == 0 { Answer::After(Duration::from_millis(500)) } else { Answer::Code(0) };
    let (tally, depth) = run(Pace::Open { per_s: 100.0 }, 400, stall).await;
    let tally = tally.unwrap();
    assert_eq!((count(&tally), tally.late), (40, 0));
    let p50 = tally.latency.figures()["p50"].as_f64().unwrap();
    assert!(p50 > 250_000.0, "half of the requests were due before the middle of the stall: {p50}");
    assert!(depth <= 5, "no more than five were in flight: {depth}");
}

#[tokio::test]
async fn what_is_never_answered_counts_as_late() {
    let (tally, _) =
        run(Pace::Open { per_s: 100.0 }, 100, |n| if n < 3 { Answer::Code(0) } else { Answer::Never }).await;
    let tally = tally.unwrap();
    assert_eq!((count(&tally), tally.late), (10, 7));
    assert!(tally.latency.figures()["max"].as_f64().unwrap() > 1_000_000.0);
}

#[tokio::test]
async fn refusals_are_counted_and_not_timed() {
    let (tally, _) = run(Pace::Open { per_s: 100.0 }, 100, |n| Answer::Code(if n < 4 { 0 } else { 6 })).await;
    let tally = tally.unwrap();
    assert_eq!((count(&tally), tally.failed), (4, 6));
    assert_eq!(tally.first_failure.as_deref(), Some("error 6 for partition 1"));
}

#[tokio::test]
async fn a_closed_loop_keeps_five_under_way() {
    let (tally, depth) = run(Pace::Closed, 200, |_| Answer::After(Duration::from_millis(2))).await;
    let tally = tally.unwrap();
    assert!((1..=5).contains(&depth), "{depth}");
    assert!(tally.answered > 5 && tally.late == 0, "{}", tally.answered);
}

#[tokio::test]
async fn a_lost_connection_ends_the_run() {
    let (tally, _) =
        run(Pace::Open { per_s: 100.0 }, 300, |n| if n == 2 { Answer::HangUp } else { Answer::Code(0) }).await;
    let why = format!("{:#}", tally.unwrap_err());
    assert!(why.contains("closed a connection") || why.contains("broke"), "{why}");
}
