//! Does TCP deliver every byte in order, and see the other side go?

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::pin::pin;
use std::thread;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use futures_util::future::{Either, select};

use super::outside::Peer;
use super::{Tested, run, start};
use crate::driver::{Listener, Stream, StreamRead, StreamWrite};
use crate::mailbox::mailbox;

/// Bytes that no shift and no loss leaves the same.
fn pattern(len: usize, seed: usize) -> Vec<u8> {
    (0..len).map(|n| (n * 31 + n / 251 + seed * 17) as u8).collect()
}

/// Echoes frames with a four-byte length until the peer closes.
async fn echo<S: Stream>(stream: S) {
    let (mut read, mut write) = stream.split();
    let mut buf = BytesMut::new();
    loop {
        while buf.len() >= 4 && buf.len() - 4 >= u32::from_be_bytes(buf[..4].try_into().unwrap()) as usize {
            let len = (&buf[..4]).get_u32() as usize;
            let frame = buf.split_to(4 + len).freeze();
            // In pieces, as responses are.
            let pieces = [frame.slice(..4), Bytes::new(), frame.slice(4..4 + len / 2), frame.slice(4 + len / 2..)];
            write.write_all(&pieces).await.unwrap();
        }
        if read.read(&mut buf).await.unwrap() == 0 {
            assert!(buf.is_empty(), "half a frame is left");
            return write.close();
        }
    }
}

fn echo_client<P: Peer>(addr: SocketAddr, n: usize) {
    let stream = P::connect(addr);
    let mut writer = stream.second();
    let sizes = [1, 1000, 70_000 + n, 300_000, 0, 1_000_000 / (n + 1)];
    let sender = thread::spawn(move || {
        for (i, size) in sizes.into_iter().enumerate() {
            writer.write_all(&(size as u32).to_be_bytes()).unwrap();
            writer.write_all(&pattern(size, n + i)).unwrap();
        }
    });
    let mut reader = stream;
    for (i, size) in sizes.into_iter().enumerate() {
        let mut head = [0; 4];
        reader.read_exact(&mut head).unwrap();
        assert_eq!(u32::from_be_bytes(head) as usize, size);
        let mut body = vec![0; size];
        reader.read_exact(&mut body).unwrap();
        assert!(body == pattern(size, n + i), "frame {i} of connection {n}");
    }
    sender.join().unwrap();
    reader.end_writing();
    assert_eq!(reader.read(&mut [0; 1]).unwrap(), 0);
}

pub(super) fn many_connections_echo_large_frames<D: Tested>() {
    const CONNECTIONS: usize = 64;
    let (sender, receiver) = mailbox(1);
    let shard = start(0, move |driver: D| async move {
        let listener = driver.listen("127.0.0.1:0".parse().unwrap()).unwrap();
        sender.send(listener.local_addr().unwrap()).await.unwrap();
        let mut tasks = Vec::new();
        for _ in 0..CONNECTIONS {
            let (stream, peer) = listener.accept().await.unwrap();
            assert!(peer.ip().is_loopback());
            tasks.push(driver.spawn("echo", echo(stream)));
        }
        for task in tasks {
            task.await.unwrap();
        }
    });
    let addr = loop {
        match receiver.try_recv() {
            Some(addr) => break addr,
            None => thread::sleep(Duration::from_millis(1)),
        }
    };
    let clients: Vec<_> = (0..CONNECTIONS).map(|n| thread::spawn(move || echo_client::<D::Peer>(addr, n))).collect();
    for client in clients {
        client.join().unwrap();
    }
    shard.join().unwrap();
}

/// Listens, and gives the first connection to come along with the other end of it.
async fn connected<D: Tested>(driver: &D) -> (<D::Listener as Listener>::Stream, D::Peer) {
    let listener = driver.listen("127.0.0.1:0".parse().unwrap()).unwrap();
    let peer = D::Peer::connect(listener.local_addr().unwrap());
    let (stream, addr) = listener.accept().await.unwrap();
    assert_eq!(addr, peer.addr());
    (stream, peer)
}

pub(super) fn the_end_of_the_peer_is_seen<D: Tested>() {
    run(|driver: D| async move {
        let (stream, peer) = connected(&driver).await;
        let (mut read, mut write) = stream.split();
        let closer = thread::spawn(move || {
            thread::sleep(Duration::from_millis(30));
            drop(peer);
        });
        let mut buf = BytesMut::new();
        assert_eq!(read.read(&mut buf).await.unwrap(), 0);
        closer.join().unwrap();
        let chunk = Bytes::from(vec![0; 1 << 20]);
        let mut result = Ok(());
        for _ in 0..64 {
            result = write.write_all(std::slice::from_ref(&chunk)).await;
            if result.is_err() {
                break;
            }
        }
        assert!(result.is_err(), "64 MiB went to nobody");
        assert_eq!(read.read(&mut buf).await.unwrap_or(0), 0);
    });
}

pub(super) fn closing_ends_the_other_half<D: Tested>() {
    run(|driver: D| async move {
        let (stream, mut peer) = connected(&driver).await;
        let (mut read, mut write) = stream.split();
        let reader = driver.spawn("read", async move { read.read(&mut BytesMut::new()).await });
        driver.sleep_until(driver.now().plus_ms(10)).await;
        write.close();
        assert_eq!(reader.await.unwrap().unwrap(), 0);
        assert_eq!(peer.read(&mut [0; 1]).unwrap(), 0);
    });
}

pub(super) fn a_cancelled_read_loses_nothing<D: Tested>() {
    const BYTES: usize = 6_000;
    run(|driver: D| async move {
        let (stream, mut peer) = connected(&driver).await;
        let (mut read, _write) = stream.split();
        let sender = thread::spawn(move || {
            for (n, chunk) in pattern(BYTES, 1).chunks(37).enumerate() {
                peer.write_all(chunk).unwrap();
                // About as long as the reader waits, now shorter, now longer.
                thread::sleep(Duration::from_micros(n as u64 % 8 * 500));
            }
        });
        let mut buf = BytesMut::new();
        let mut cancelled = 0;
        loop {
            let timeout = driver.sleep_until(driver.now().plus_ms(1));
            match select(pin!(read.read(&mut buf)), pin!(timeout)).await {
                Either::Left((Ok(0), _)) => break,
                Either::Left((read, _)) => drop(read.unwrap()),
                Either::Right(_) => cancelled += 1,
            }
        }
        sender.join().unwrap();
        assert!(buf == pattern(BYTES, 1), "{} of {BYTES} bytes", buf.len());
        assert!(cancelled > 0, "nothing was tried");
    });
}

pub(super) fn a_read_fills_the_room_it_is_given<D: Tested>() {
    run(|driver: D| async move {
        let (stream, mut peer) = connected(&driver).await;
        let (mut read, _write) = stream.split();
        peer.write_all(&pattern(30_000, 2)).unwrap();
        let mut buf = BytesMut::with_capacity(10);
        let capacity = buf.capacity();
        while buf.len() < capacity {
            let before = buf.len();
            let count = read.read(&mut buf).await.unwrap();
            assert_eq!(buf.len(), before + count);
        }
        assert_eq!(buf.capacity(), capacity, "room that is there is used first");
        assert_eq!(buf[..], pattern(30_000, 2)[..capacity]);
        while buf.len() < 30_000 {
            assert!(read.read(&mut buf).await.unwrap() > 0);
        }
        assert!(buf == pattern(30_000, 2));
        assert!(buf.capacity() >= 64 * 1024, "then a good deal is reserved");
    });
}
