//! Do shards share a port, and reach each other?

use std::collections::HashSet;
use std::io::Read;
use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use socket2::{Domain, Socket, Type};

use super::outside::Peer;
use super::{Tested, run, start};
use crate::driver::{Listener, Stream, StreamWrite, TaskHandle};
use crate::mailbox::{MailReceiver, MailSender, Undelivered, mailbox};
use crate::portable::Portable;

pub(super) fn reserve_port() -> (Option<Socket>, SocketAddr) {
    let reserved = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    reserved.set_reuse_port(true).unwrap();
    reserved.bind(&"127.0.0.1:0".parse::<SocketAddr>().unwrap().into()).unwrap();
    let addr = reserved.local_addr().unwrap().as_socket().unwrap();
    (Some(reserved), addr)
}

pub(super) fn two_shards_share_a_port<D: Tested>() {
    // Held so that nobody else gets the port meanwhile; it accepts nothing, so the shards' listeners come first.
    let (_reserved, addr) = D::reserve_port();
    let (ready, listening) = flume::unbounded();
    let mut shards = Vec::new();
    let mut stops = Vec::new();
    for shard in 0..2u8 {
        let (stop, stopped) = mailbox::<()>(1);
        stops.push(stop);
        let ready = ready.clone();
        shards.push(start(u16::from(shard), move |driver: D| async move {
            let listener = driver.listen(addr).unwrap();
            ready.send(()).unwrap();
            let acceptor = driver.clone();
            let accept = driver.spawn("accept", async move {
                loop {
                    let (stream, _) = listener.accept().await.unwrap();
                    let answer = acceptor.spawn("answer", async move {
                        let (_read, mut write) = stream.split();
                        write.write_all(&[Bytes::from(vec![shard])]).await.unwrap();
                    });
                    answer.keep();
                }
            });
            accept.keep();
            stopped.recv().await;
        }));
    }
    for _ in 0..2 {
        listening.recv_timeout(Duration::from_secs(10)).unwrap();
    }
    let answers: HashSet<u8> = (0..64)
        .map(|_| {
            let mut stream = D::Peer::connect(addr);
            let mut shard = [9];
            stream.read_exact(&mut shard).unwrap();
            shard[0]
        })
        .collect();
    assert_eq!(answers, HashSet::from([0, 1]));
    drop(stops);
    shards.into_iter().for_each(|shard| shard.join().unwrap());
}

/// A question and where its answer goes.
struct Ask(u64, MailSender<u64>);

async fn answer_all(questions: MailReceiver<Ask>) {
    while let Some(Ask(number, answers)) = questions.recv().await {
        answers.send(number + 1).await.unwrap();
    }
}

async fn ask_all(questions: MailSender<Ask>) {
    let (answers, answered) = mailbox(4);
    for number in 0..500 {
        assert!(questions.send(Ask(number, answers.clone())).await.is_ok());
        assert_eq!(answered.recv().await, Some(number + 1));
    }
    drop(answers);
    assert_eq!(answered.recv().await, None);
}

pub(super) fn shards_send_each_other_messages<D: Tested>() {
    let (questions, asked) = mailbox(4);
    let answering = start(0, move |_: D| answer_all(asked));
    let same = start(1, {
        let questions = questions.clone();
        move |_: D| ask_all(questions)
    });
    same.join().unwrap();
    let other = start(2, move |_: Portable| ask_all(questions));
    other.join().unwrap();
    answering.join().unwrap();

    let (questions, asked) = mailbox(4);
    let answering = start(0, move |_: Portable| answer_all(asked));
    start(1, move |_: D| ask_all(questions)).join().unwrap();
    answering.join().unwrap();
}

pub(super) fn a_full_mailbox_makes_the_sender_wait<D: Tested>() {
    let (sender, receiver) = mailbox::<u32>(2);
    let reader = thread::spawn(move || {
        thread::sleep(Duration::from_millis(50));
        let mut seen = Vec::new();
        while seen.len() < 100 {
            seen.extend(receiver.try_recv());
        }
        seen
    });
    run(move |_: D| async move {
        assert!(sender.try_send(0).is_ok() && sender.try_send(1).is_ok());
        assert!(matches!(sender.try_send(2), Err(Undelivered::Full(2))));
        for n in 2..100 {
            sender.send(n).await.unwrap();
        }
    });
    assert_eq!(reader.join().unwrap(), (0..100).collect::<Vec<_>>());
}
