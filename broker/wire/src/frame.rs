//! Where does a request or response end on a socket?
//!
//! Four bytes, big endian, say how many follow.

use bytes::{Bytes, BytesMut};

/// The length in front of each frame.
pub const PREFIX_BYTES: usize = 4;

/// The stream makes no sense: close the connection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    #[error("a frame cannot have {0} bytes; is this a Kafka client, without TLS?")]
    Negative(i32),
    #[error("a frame of {bytes} bytes is larger than the limit of {max}; send smaller requests")]
    TooLarge { bytes: usize, max: usize },
}

/// Takes the next whole frame from what has been received, without its length and without copying; `None` while it is
/// not whole. No memory is reserved for what a length claims.
pub fn take(received: &mut BytesMut, max: usize) -> Result<Option<Bytes>, FrameError> {
    let Some(length) = announced(received, max)? else { return Ok(None) };
    if received.len() - PREFIX_BYTES < length {
        return Ok(None);
    }
    let mut frame = received.split_to(PREFIX_BYTES + length);
    Ok(Some(frame.split_off(PREFIX_BYTES).freeze()))
}

/// The length that the next frame announces, without its prefix; `None` before four bytes are there.
pub fn announced(received: &[u8], max: usize) -> Result<Option<usize>, FrameError> {
    let Some(prefix) = received.first_chunk::<PREFIX_BYTES>() else { return Ok(None) };
    let length = i32::from_be_bytes(*prefix);
    let bytes = usize::try_from(length).map_err(|_| FrameError::Negative(length))?;
    match bytes > max {
        true => Err(FrameError::TooLarge { bytes, max }),
        false => Ok(Some(bytes)),
    }
}

#[cfg(test)]
mod tests;
