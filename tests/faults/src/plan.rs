//! Which request is struck, and how? Decided here, without any I/O.

use std::collections::VecDeque;

use object_store::Error;
use object_store::path::Path;

/// Listings that are stale leave out so many of the newest objects.
const STALE_OBJECTS: usize = 8;
/// Listings are stale for so many requests.
const STALE_REQUESTS: u64 = 12;
/// For so many requests an object is not to be seen after its put.
const HIDDEN_REQUESTS: u64 = 3;
/// For so many requests the store is away.
const OUTAGE_REQUESTS: u64 = 25;
/// For so many requests credentials are refused, or writes.
const REFUSED_REQUESTS: u64 = 6;

/// What can go wrong with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// 503: not done.
    Unavailable,
    SlowDown,
    /// 500: not done.
    Internal,
    Timeout,
    /// Done, but nobody hears of it.
    LostAnswer,
    /// The connection broke while a body was sent: not done.
    PartialBody,
    /// The answer ends early, as if that were all.
    TruncatedGet,
    /// Listings without the newest objects, for a while.
    StaleList,
    /// An object that was just put is not there for a while.
    AbsentAfterPut,
    WrongEtag,
    ExpiredCredentials,
    /// All parts arrived, their completion did not.
    PartsLeft,
    /// Nothing can be written for a while.
    ReadOnly,
    /// Nothing can be reached for a while.
    Outage,
}

impl Fault {
    pub const ALL: [Fault; 14] = [
        Fault::Unavailable,
        Fault::SlowDown,
        Fault::Internal,
        Fault::Timeout,
        Fault::LostAnswer,
        Fault::PartialBody,
        Fault::TruncatedGet,
        Fault::StaleList,
        Fault::AbsentAfterPut,
        Fault::WrongEtag,
        Fault::ExpiredCredentials,
        Fault::PartsLeft,
        Fault::ReadOnly,
        Fault::Outage,
    ];

    fn applies_to(self, request: Request) -> bool {
        match self {
            Fault::LostAnswer | Fault::ReadOnly => matches!(request, Request::Put | Request::Delete),
            Fault::PartialBody | Fault::PartsLeft | Fault::AbsentAfterPut => request == Request::Put,
            Fault::TruncatedGet => request == Request::Get,
            Fault::StaleList => request == Request::List,
            Fault::WrongEtag => matches!(request, Request::Put | Request::Get | Request::Head),
            _ => true,
        }
    }

    /// How many requests it lasts.
    fn requests(self) -> u64 {
        match self {
            Fault::Outage => OUTAGE_REQUESTS,
            Fault::ReadOnly | Fault::ExpiredCredentials => REFUSED_REQUESTS,
            Fault::AbsentAfterPut => HIDDEN_REQUESTS,
            Fault::StaleList => STALE_REQUESTS,
            _ => 1,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request {
    Put,
    Get,
    Head,
    List,
    Delete,
}

/// What is to be done with a request.
#[derive(Debug)]
pub enum Verdict {
    Pass,
    Refuse(Error),
    /// Do it, and answer with this.
    LoseAnswer(Error),
    Truncate,
    /// Leave these out of a listing.
    Stale(Vec<Path>),
    WrongEtag,
}

/// Requests so far, and what is to happen.
#[derive(Debug)]
pub struct Plan {
    fault: Fault,
    /// The first request that may be struck; counted from 0.
    from: u64,
    requests: u64,
    /// The request that was struck, and what for.
    struck: Option<(u64, Request)>,
    newest: VecDeque<Path>,
    hidden: Option<Path>,
}

impl Plan {
    pub fn new(fault: Fault, from: u64) -> Plan {
        Plan { fault, from, requests: 0, struck: None, newest: VecDeque::new(), hidden: None }
    }

    pub fn requests(&self) -> u64 {
        self.requests
    }

    pub fn is_over(&self) -> bool {
        self.struck.is_some_and(|(at, _)| self.requests >= at + self.fault.requests())
    }

    /// An object was put.
    pub fn put(&mut self, path: &Path) {
        self.newest.push_back(path.clone());
        if self.newest.len() > STALE_OBJECTS {
            self.newest.pop_front();
        }
    }

    pub fn request(&mut self, request: Request, path: &Path) -> Verdict {
        let number = self.requests;
        self.requests += 1;
        let begins = self.struck.is_none() && number >= self.from && self.fault.applies_to(request);
        if begins {
            self.struck = Some((number, request));
        }
        let lasts = self.struck.is_some_and(|(at, _)| number < at + self.fault.requests());
        if !lasts {
            return Verdict::Pass;
        }
        match self.fault {
            Fault::Unavailable => refuse("503 Service Unavailable"),
            Fault::SlowDown => refuse("503 Service Unavailable: <Code>SlowDown</Code>"),
            Fault::Internal => refuse("500 Internal Server Error"),
            Fault::Timeout => refuse("operation timed out"),
            Fault::PartialBody => refuse("connection closed before the body was sent"),
            Fault::PartsLeft => refuse("the completion of an upload in parts was not answered"),
            Fault::Outage => refuse("error sending request: connection refused"),
            Fault::LostAnswer => Verdict::LoseAnswer(generic("connection reset")),
            Fault::TruncatedGet => Verdict::Truncate,
            Fault::StaleList if request == Request::List => Verdict::Stale(self.newest.iter().cloned().collect()),
            Fault::StaleList => Verdict::Pass,
            Fault::WrongEtag => Verdict::WrongEtag,
            Fault::ExpiredCredentials => denied(path, "403 Forbidden: <Code>ExpiredToken</Code>"),
            Fault::ReadOnly if Fault::ReadOnly.applies_to(request) => {
                denied(path, "403 Forbidden: <Code>AccessDenied</Code>")
            }
            Fault::ReadOnly => Verdict::Pass,
            Fault::AbsentAfterPut => self.hide(begins, request, path),
        }
    }

    fn hide(&mut self, begins: bool, request: Request, path: &Path) -> Verdict {
        if begins {
            self.hidden = Some(path.clone());
            return Verdict::Pass;
        }
        match request {
            Request::List => Verdict::Stale(self.hidden.iter().cloned().collect()),
            Request::Get | Request::Head if self.hidden.as_ref() == Some(path) => {
                Verdict::Refuse(Error::NotFound { path: path.to_string(), source: "404 Not Found: NoSuchKey".into() })
            }
            _ => Verdict::Pass,
        }
    }
}

fn generic(text: &str) -> Error {
    Error::Generic { store: "faults", source: text.to_owned().into() }
}

fn refuse(text: &str) -> Verdict {
    Verdict::Refuse(generic(text))
}

fn denied(path: &Path, text: &str) -> Verdict {
    Verdict::Refuse(Error::PermissionDenied { path: path.to_string(), source: text.to_owned().into() })
}

#[cfg(test)]
mod tests;
