//! How do requests come in from one client, and how do answers leave in the same order?

use std::net::SocketAddr;
use std::rc::Rc;

use bytes::{Bytes, BytesMut};
use model::limits::REQUEST_BYTES_MAX;
use runtime::{Driver, Stream, StreamRead, StreamWrite};
use wire::frame;
use wire::request;

use crate::admission::Permit;
use crate::answers::{Answerer, Asker, Owed, answers};
use crate::api::{self, Answer, Call, CallError};
use crate::shard::Shard;

/// Room made for a read.
const READ_BYTES: usize = 16 * 1024;
/// Room made at once for the rest of a frame; a larger one makes the buffer grow as its bytes arrive.
const REST_BYTES: usize = 256 * 1024;
/// How long one request may take to arrive.
const REQUEST_MS_MAX: u64 = 60_000;
/// Bytes that one write of joined answers gathers, more or less.
const WRITE_BYTES: usize = 256 * 1024;

/// Why a connection ends.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error("the client has closed it")]
    ByPeer,
    #[error("a request did not arrive whole within {REQUEST_MS_MAX} ms; send smaller ones")]
    Slow,
    #[error("{0}")]
    Io(#[from] std::io::Error),
    #[error(transparent)]
    Frame(#[from] frame::FrameError),
    #[error(transparent)]
    Call(#[from] CallError),
    #[error(transparent)]
    Request(#[from] request::RequestError),
}

/// Serves a client with two tasks: one reads, one writes.
pub fn start<D: Driver, S: Stream>(shard: Rc<Shard<D>>, stream: S, peer: SocketAddr) {
    let (reading, writing) = stream.split();
    let (asker, answerer) = answers();
    shard.connections.set(shard.connections.get() + 1);
    shard.start("write answers", write(writing, answerer, peer));
    let counted = Counted { shard: shard.clone() };
    shard.start("read requests", async move {
        let ended = read(&counted.shard, reading, asker, peer).await;
        match ended {
            Ended::ByPeer => tracing::debug!(%peer, "connection closed"),
            Ended::Io(error) => tracing::debug!(%peer, "connection lost: {error}"),
            other => tracing::warn!(%peer, "connection closed: {other}"),
        }
    });
}

/// Counts a connection for as long as it lives, also when its task is cancelled.
struct Counted<D: Driver> {
    shard: Rc<Shard<D>>,
}

impl<D: Driver> Drop for Counted<D> {
    fn drop(&mut self) {
        self.shard.connections.set(self.shard.connections.get() - 1);
    }
}

async fn read<D: Driver, R: StreamRead>(shard: &Rc<Shard<D>>, mut reading: R, asker: Asker, peer: SocketAddr) -> Ended {
    let mut buffer = BytesMut::new();
    loop {
        let (bytes, permit) = match next_frame(shard, &mut reading, &mut buffer).await {
            Ok(next) => next,
            Err(ended) => return ended,
        };
        let answer = match handle(shard, bytes, peer).await {
            Ok(answer) => answer,
            Err(ended) => return ended,
        };
        if asker.push(Owed { answer, permit }).await.is_err() {
            return Ended::ByPeer;
        }
    }
}

/// The next frame, let in before the bytes of a large one are read.
async fn next_frame<D: Driver, R: StreamRead>(
    shard: &Shard<D>,
    reading: &mut R,
    buffer: &mut BytesMut,
) -> Result<(Bytes, Permit), Ended> {
    let mut permit = None;
    loop {
        if permit.is_none()
            && let Some(length) = frame::announced(buffer, REQUEST_BYTES_MAX)?
            && let Some(api_key) = api_key(buffer, length)
        {
            let room = shard.admission.admit(api_key, length).await;
            permit = Some((room, frame::PREFIX_BYTES + length, shard.driver.now().plus_ms(REQUEST_MS_MAX)));
        }
        if let Some((permit, ..)) = permit.take_if(|_| is_whole(buffer)) {
            let bytes = frame::take(buffer, REQUEST_BYTES_MAX)?.expect("it is whole");
            return Ok((bytes, permit));
        }
        let read = match &permit {
            None => {
                buffer.reserve(READ_BYTES);
                reading.read(buffer).await?
            }
            Some((_, frame_bytes, until)) => {
                buffer.reserve((frame_bytes - buffer.len()).clamp(READ_BYTES, REST_BYTES));
                // Its room is taken from others, so a request must not dawdle.
                shard.before(*until, reading.read(buffer)).await.ok_or(Ended::Slow)??
            }
        };
        if read == 0 {
            return Err(Ended::ByPeer);
        }
    }
}

/// The API of the next request; `None` before its number is there.
fn api_key(buffer: &[u8], length: usize) -> Option<i16> {
    let key = buffer.get(frame::PREFIX_BYTES..)?.first_chunk().map(|key| i16::from_be_bytes(*key));
    // A frame that is too short for it is whole all the same; it is refused when it is decoded.
    key.or((length < size_of::<i16>()).then_some(-1))
}

fn is_whole(buffer: &BytesMut) -> bool {
    let length = frame::announced(buffer, REQUEST_BYTES_MAX).ok().flatten();
    length.is_some_and(|length| buffer.len() - frame::PREFIX_BYTES >= length)
}

/// Lets a request take effect.
async fn handle<D: Driver>(shard: &Rc<Shard<D>>, bytes: Bytes, peer: SocketAddr) -> Result<Answer, Ended> {
    let (head, body) = request::split_head(bytes)?;
    tracing::trace!(%peer, key = head.api_key, version = head.api_version, "request");
    Ok(api::dispatch(Call { shard: shard.clone(), head: Rc::new(head), body, peer }).await?)
}

/// Writes answers in the order of their requests; all that are ready leave together.
async fn write<W: StreamWrite>(mut writing: W, answers: Answerer, peer: SocketAddr) {
    while let Some(first) = answers.next().await {
        let (mut pieces, mut permits) = (Vec::new(), Vec::new());
        let mut bytes = 0;
        let mut next = Some(first);
        let mut failed = None;
        while let Some((answer, permit)) = next {
            match answer {
                Ok(frame) => {
                    bytes += frame.iter().map(Bytes::len).sum::<usize>();
                    pieces.extend(frame);
                    permits.push(permit);
                }
                Err(error) => failed = Some(error),
            }
            let go_on = failed.is_none() && bytes < WRITE_BYTES;
            next = if go_on { answers.next_if_ready().await } else { None };
        }
        if let Err(error) = writing.write_all(&pieces).await {
            tracing::debug!(%peer, "connection lost: {error}");
            break;
        }
        if let Some(error) = failed {
            tracing::error!(%peer, "connection closed, its answer could not be made: {error}");
            break;
        }
    }
    writing.close();
}
