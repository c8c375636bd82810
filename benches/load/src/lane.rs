//! How does one connection keep to its schedule?
//!
//! Several requests are under way at a time; a broker answers those of one connection in order. Reading never waits
//! for writing, so that an answer is seen when it arrives.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice};
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use bytes::{Buf, Bytes, BytesMut};
use kafka_protocol::messages::ProduceResponse;
use tokio::io::Interest;
use tokio::net::TcpStream;
use wire::{frame, response};

use crate::clock::{Timer, now_ns};
use crate::payload::{PRODUCE, PRODUCE_VERSION};
use crate::schedule::{Pace, Slots};
use crate::tally::Tally;

const ANSWER_BYTES_MAX: usize = 1024 * 1024;
/// Slices that one write hands to the kernel.
const SLICES_MAX: usize = 8;

pub struct Lane {
    socket: TcpStream,
    timer: Timer,
    slots: Slots,
    /// One request per partition.
    requests: Arc<[Bytes]>,
    in_flight_max: usize,
    in_flight: VecDeque<InFlight>,
    unwritten: VecDeque<Bytes>,
    received: BytesMut,
    tally: Tally,
}

struct InFlight {
    partition: usize,
    due_ns: u64,
}

pub async fn connect(addr: &str) -> Result<TcpStream> {
    let socket = TcpStream::connect(addr).await.with_context(|| format!("{addr} cannot be reached"))?;
    socket.set_nodelay(true)?;
    Ok(socket)
}

impl Lane {
    pub fn new(socket: TcpStream, requests: Arc<[Bytes]>, in_flight_max: usize, slots: Slots) -> Result<Lane> {
        Ok(Lane {
            socket,
            timer: Timer::new()?,
            slots,
            requests,
            in_flight_max,
            in_flight: VecDeque::new(),
            unwritten: VecDeque::new(),
            received: BytesMut::new(),
            tally: Tally::new(),
        })
    }

    /// Sends and reads until all slots are answered or the time is over. An error is one of the connection: the run
    /// means nothing then.
    pub async fn run(mut self) -> Result<Tally> {
        let give_up_ns = self.slots.window().give_up_ns;
        let mut deadline = Timer::new()?;
        tokio::select! {
            done = self.drive() => done?,
            fired = deadline.until(give_up_ns) => fired?,
        }
        self.leave_the_rest();
        Ok(self.tally)
    }

    async fn drive(&mut self) -> Result<()> {
        loop {
            let now_ns = now_ns();
            self.send_what_is_due(now_ns);
            self.write()?;
            if self.in_flight.is_empty() && self.slots.due_ns(now_ns).is_none() {
                return Ok(());
            }
            self.wait(now_ns).await?;
            self.read()?;
        }
    }

    fn send_what_is_due(&mut self, now_ns: u64) {
        while self.in_flight.len() < self.in_flight_max {
            let Some(due_ns) = self.slots.due_ns(now_ns).filter(|due_ns| *due_ns <= now_ns) else { return };
            let partition = (self.slots.take() % self.requests.len() as u64) as usize;
            self.tally.sent(self.slots.window(), due_ns, now_ns);
            self.unwritten.push_back(self.requests[partition].clone());
            self.in_flight.push_back(InFlight { partition, due_ns });
        }
    }

    fn write(&mut self) -> Result<()> {
        while !self.unwritten.is_empty() {
            let mut slices = [IoSlice::new(&[]); SLICES_MAX];
            for (slice, bytes) in slices.iter_mut().zip(&self.unwritten) {
                *slice = IoSlice::new(bytes);
            }
            let Some(mut written) = unless_blocked(self.socket.try_write_vectored(&slices))? else { return Ok(()) };
            while let Some(front) = self.unwritten.front_mut().filter(|_| written > 0) {
                let step = written.min(front.len());
                front.advance(step);
                written -= step;
                if front.is_empty() {
                    self.unwritten.pop_front();
                }
            }
        }
        Ok(())
    }

    /// Until the socket has something to read or room to write, or the next slot is due and may be sent.
    async fn wait(&mut self, now_ns: u64) -> Result<()> {
        let interest = match self.unwritten.is_empty() {
            true => Interest::READABLE,
            false => Interest::READABLE | Interest::WRITABLE,
        };
        let room = self.in_flight.len() < self.in_flight_max;
        match self.slots.due_ns(now_ns).filter(|_| room) {
            None => drop(self.socket.ready(interest).await?),
            Some(due_ns) => tokio::select! {
                ready = self.socket.ready(interest) => drop(ready?),
                fired = self.timer.until(due_ns) => fired?,
            },
        }
        Ok(())
    }

    fn read(&mut self) -> Result<()> {
        loop {
            self.received.reserve(4096);
            let Some(read) = unless_blocked(self.socket.try_read_buf(&mut self.received))? else { return Ok(()) };
            ensure!(read > 0, "the broker closed a connection");
            let now_ns = now_ns();
            while let Some(answer) = frame::take(&mut self.received, ANSWER_BYTES_MAX)? {
                self.answered(answer, now_ns)?;
            }
        }
    }

    fn answered(&mut self, answer: Bytes, now_ns: u64) -> Result<()> {
        let (correlation_id, answer) = response::decode::<ProduceResponse>(PRODUCE, PRODUCE_VERSION, answer)?;
        let InFlight { partition, due_ns } = self.in_flight.pop_front().context("the broker answers unasked")?;
        ensure!(correlation_id as i64 == partition as i64, "the broker answers out of order");
        let result = answer.responses.first().and_then(|topic| topic.partition_responses.first());
        match result.context("the broker's answer names no partition")?.error_code {
            0 => self.tally.answered(self.slots.window(), due_ns, now_ns),
            code => self.tally.failed(format!("error {code} for partition {partition}")),
        }
        Ok(())
    }

    fn leave_the_rest(&mut self) {
        let (window, now_ns) = (self.slots.window(), now_ns());
        for request in self.in_flight.drain(..) {
            self.tally.late(window, request.due_ns, now_ns);
        }
        while let Some(due_ns) = self.slots.due_ns(now_ns).filter(|_| self.slots.pace() != Pace::Closed) {
            self.slots.take();
            self.tally.late(window, due_ns, now_ns);
        }
    }
}

fn unless_blocked(outcome: io::Result<usize>) -> Result<Option<usize>> {
    match outcome {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error).context("a connection broke"),
    }
}

#[cfg(test)]
mod tests;
