//! What is a request, and what an answer, when no socket is in sight?

#[cfg(test)]
mod tests;

use bytes::Bytes;
use serde_json::Value;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Method {
    Get,
    Post,
    Put,
    Delete,
    /// Any other: answered with 405.
    Other,
}

/// An HTTP request as far as the registry looks at it.
#[derive(Debug, Clone)]
pub struct Request {
    pub method: Method,
    /// Still percent-encoded, from the first slash to before the question mark.
    pub path: String,
    /// What follows the question mark; empty without one.
    pub query: String,
    pub body: Bytes,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    pub status: u16,
    pub body: Vec<u8>,
    pub content_type: &'static str,
}

pub const JSON: &str = "application/vnd.schemaregistry.v1+json";

impl Response {
    pub fn json(status: u16, body: &Value) -> Response {
        Response { status, body: body.to_string().into_bytes(), content_type: JSON }
    }

    /// A body that already is what the client asked for, such as a schema's text.
    pub fn raw(body: String) -> Response {
        Response { status: 200, body: body.into_bytes(), content_type: JSON }
    }
}

/// The segments of a path, each decoded; empty ones at the ends are dropped.
pub fn segments(path: &str) -> Vec<String> {
    path.trim_matches('/').split('/').map(|segment| decoded(segment, false)).collect()
}

/// The parameters of a query, in order; a repeated one counts the first time.
#[derive(Debug, Default)]
pub struct Query(Vec<(String, String)>);

impl Query {
    pub fn parse(query: &str) -> Query {
        let pair = |pair: &str| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded(name, true), decoded(value, true))
        };
        Query(query.split('&').filter(|part| !part.is_empty()).map(pair).collect())
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// True for `true` in any case, as Java reads it.
    pub fn flag(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    /// `offset` and `limit` applied to a list; absent, negative or unreadable ones do nothing.
    pub fn page<T>(&self, items: impl IntoIterator<Item = T>) -> Vec<T> {
        let number = |name: &str| self.get(name).and_then(|value| value.parse::<usize>().ok());
        let offset = number("offset").unwrap_or(0);
        items.into_iter().skip(offset).take(number("limit").unwrap_or(usize::MAX)).collect()
    }
}

fn decoded(text: &str, plus_is_space: bool) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        let hex = |at: usize| after.get(at).and_then(|digit| char::from(*digit).to_digit(16));
        match (first, hex(0), hex(1)) {
            (b'%', Some(high), Some(low)) => {
                bytes.push((high * 16 + low) as u8);
                rest = &after[2..];
            }
            (b'+', ..) if plus_is_space => bytes.push(b' '),
            _ => bytes.push(*first),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
