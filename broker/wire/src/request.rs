//! What does a client ask?

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::RequestHeader;
use kafka_protocol::protocol::{Decodable, Encodable, StrBytes};

use crate::frame::PREFIX_BYTES;
use crate::guard::walk;
use crate::layout::{Layout, layout};
use crate::read::Reader;

/// ApiVersions: clients send it to learn what else they may send.
pub const API_VERSIONS: i16 = 18;

/// What stands before each request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    pub api_key: i16,
    pub api_version: i16,
    pub correlation_id: i32,
    pub client_id: Option<String>,
}

/// Why a request cannot be read. Kafka closes the connection for all of these, except for ApiVersions in an unknown
/// version, which [`split_head`] lets pass.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    #[error("a request of {bytes} bytes ends within its header")]
    NoHeader { bytes: usize },
    #[error("requests of API key {0} are not served")]
    UnknownApi(i16),
    #[error("{api} requests are served in versions {first} to {last}, not {version}; ask ApiVersions first")]
    UnknownVersion { api: &'static str, version: i16, first: i16, last: i16 },
    #[error("a {api} request of version {version} is malformed: {why}")]
    Malformed { api: &'static str, version: i16, why: String },
    #[error("a {api} request cannot be sent in version {version}: {why}")]
    Unsendable { api: &'static str, version: i16, why: String },
}

/// The version of a request's header: 2 with flexible bodies, 1 before. `None` for keys that are not served.
pub fn header_version(api_key: i16, api_version: i16) -> Option<i16> {
    layout(api_key).map(|row| if row.is_flexible(api_version) { 2 } else { 1 })
}

/// Reads the header of a request frame; the rest is the body. Unknown versions of known APIs are not refused here:
/// that is for [`guard`]. An ApiVersions request of a version to come has no client id for us.
pub fn split_head(frame: Bytes) -> Result<(Head, Bytes), RequestError> {
    let short = RequestError::NoHeader { bytes: frame.len() };
    let mut reader = Reader::new(&frame);
    let fixed = (|| Some((reader.i16()?, reader.i16()?, reader.i32()?)))();
    let (api_key, api_version, correlation_id) = fixed.ok_or(short.clone())?;
    let row = layout(api_key).ok_or(RequestError::UnknownApi(api_key))?;
    let mut head = Head { api_key, api_version, correlation_id, client_id: None };
    let readable = row.api_key != API_VERSIONS || row.serves(api_version);
    if readable {
        head.client_id = client_id(&mut reader, row.is_flexible(api_version)).ok_or(short)?;
    }
    let body = frame.slice(frame.len() - reader.left()..);
    Ok((head, body))
}

/// The client id, never compact (KIP-511), and the header's tagged fields. The outer `None` says that they are cut off.
fn client_id(reader: &mut Reader<'_>, flexible: bool) -> Option<Option<String>> {
    let client_id = match reader.i16()? {
        -1 => None,
        length => {
            let bytes = reader.take(usize::try_from(length).ok()?)?;
            Some(String::from_utf8_lossy(bytes).into_owned())
        }
    };
    if flexible {
        for _ in 0..reader.uvarint()? {
            reader.uvarint()?;
            let size = usize::try_from(reader.uvarint()?).ok()?;
            reader.take(size)?;
        }
    }
    Some(client_id)
}

/// Accepts a body that the decoder can take: whole, no count that its bytes cannot hold, and
/// decoded not larger than [`DECODED_RATIO_MAX`](model::limits::DECODED_RATIO_MAX) allows.
pub fn guard(api_key: i16, api_version: i16, body: &[u8]) -> Result<(), RequestError> {
    let row = row(api_key, api_version)?;
    walk(row, api_version, body).map(drop).map_err(|why| malformed(row, api_version, why))
}

/// Decodes a body, behind the [`guard`]. Strings and bytes of the message are slices of the body.
pub fn decode<T: Decodable>(api_key: i16, api_version: i16, mut body: Bytes) -> Result<T, RequestError> {
    guard(api_key, api_version, &body)?;
    let row = row(api_key, api_version)?;
    T::decode(&mut body, api_version).map_err(|error| malformed(row, api_version, error.to_string()))
}

fn row(api_key: i16, version: i16) -> Result<&'static Layout, RequestError> {
    let row = layout(api_key).ok_or(RequestError::UnknownApi(api_key))?;
    match row.serves(version) {
        true => Ok(row),
        false => Err(RequestError::UnknownVersion { api: row.name, version, first: row.first, last: row.last }),
    }
}

fn malformed(row: &Layout, version: i16, why: impl Into<String>) -> RequestError {
    RequestError::Malformed { api: row.name, version, why: why.into() }
}

/// A whole frame, length included, for a client to send.
pub fn encode<T: Encodable>(head: &Head, message: &T) -> Result<Bytes, RequestError> {
    let row = row(head.api_key, head.api_version)?;
    let unsendable = |why: String| RequestError::Unsendable { api: row.name, version: head.api_version, why };
    let client_id = head.client_id.clone().map(StrBytes::from_string);
    let header = RequestHeader::default()
        .with_request_api_key(head.api_key)
        .with_request_api_version(head.api_version)
        .with_correlation_id(head.correlation_id)
        .with_client_id(client_id);
    let mut frame = BytesMut::from(&[0; PREFIX_BYTES][..]);
    let header_version = if row.is_flexible(head.api_version) { 2 } else { 1 };
    header.encode(&mut frame, header_version).map_err(|error| unsendable(error.to_string()))?;
    message.encode(&mut frame, head.api_version).map_err(|error| unsendable(error.to_string()))?;
    let length = i32::try_from(frame.len() - PREFIX_BYTES).map_err(|_| unsendable("it passes 2 GiB".into()))?;
    frame[..PREFIX_BYTES].copy_from_slice(&length.to_be_bytes());
    Ok(frame.freeze())
}

#[cfg(test)]
mod tests;
