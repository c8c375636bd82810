//! How is a client answered?

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::protocol::{Decodable, Encodable};

use crate::frame::PREFIX_BYTES;
use crate::layout::layout;
use crate::read::Reader;
use crate::request::{API_VERSIONS, Head};

/// Why a response cannot be written or read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResponseError {
    #[error("the response to API key {api_key} cannot be written in version {version}: {why}")]
    Unsendable { api_key: i16, version: i16, why: String },
    #[error("the response to API key {api_key} in version {version} is malformed: {why}")]
    Malformed { api_key: i16, version: i16, why: String },
}

/// The version of a response's header: 1, with tagged fields, for flexible messages, else 0. That of ApiVersions is
/// always 0, because who reads it does not know yet which versions the other side speaks (KIP-511).
pub fn header_version(api_key: i16, api_version: i16) -> i16 {
    match layout(api_key) {
        Some(row) if api_key != API_VERSIONS && row.is_flexible(api_version) => 1,
        _ => 0,
    }
}

/// Bytes of a response before its body, with room for the length.
pub(crate) fn start(head: &Head, header_version: i16, body_bytes: usize) -> BytesMut {
    let mut frame = BytesMut::with_capacity(PREFIX_BYTES + 5 + body_bytes);
    frame.put_i32(0);
    frame.put_i32(head.correlation_id);
    if header_version >= 1 {
        frame.put_u8(0);
    }
    frame
}

/// A whole frame, length included. `version` is the body's: for ApiVersions in an unknown version it is 0, whatever
/// the head says.
pub fn encode<T: Encodable>(
    head: &Head,
    version: i16,
    header_version: i16,
    message: &T,
) -> Result<Bytes, ResponseError> {
    let unsendable = |why: String| ResponseError::Unsendable { api_key: head.api_key, version, why };
    let body_bytes = message.compute_size(version).map_err(|error| unsendable(error.to_string()))?;
    let mut frame = start(head, header_version, body_bytes);
    message.encode(&mut frame, version).map_err(|error| unsendable(error.to_string()))?;
    let length = i32::try_from(frame.len() - PREFIX_BYTES).map_err(|_| unsendable("it passes 2 GiB".into()))?;
    frame[..PREFIX_BYTES].copy_from_slice(&length.to_be_bytes());
    Ok(frame.freeze())
}

/// For clients: the correlation id and the message of a response frame. What the answering node claims is believed:
/// this is for nodes one trusts.
pub fn decode<T: Decodable>(api_key: i16, api_version: i16, frame: Bytes) -> Result<(i32, T), ResponseError> {
    let malformed = |why: String| ResponseError::Malformed { api_key, version: api_version, why };
    let (correlation_id, mut body) =
        split_head(api_key, api_version, frame).ok_or_else(|| malformed("it ends within its header".into()))?;
    let message = T::decode(&mut body, api_version).map_err(|error| malformed(error.to_string()))?;
    Ok((correlation_id, message))
}

fn split_head(api_key: i16, api_version: i16, frame: Bytes) -> Option<(i32, Bytes)> {
    let mut reader = Reader::new(&frame);
    let correlation_id = reader.i32()?;
    if header_version(api_key, api_version) >= 1 {
        for _ in 0..reader.uvarint()? {
            reader.uvarint()?;
            let size = usize::try_from(reader.uvarint()?).ok()?;
            reader.take(size)?;
        }
    }
    let body = frame.slice(frame.len() - reader.left()..);
    Some((correlation_id, body))
}

#[cfg(test)]
mod tests;
