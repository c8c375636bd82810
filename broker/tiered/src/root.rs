//! How are roots and pages of a manifest written down?

use bytes::Bytes;
use model::{Error, Result, ShardId};
use uuid::Uuid;

use crate::code::{Reader, put_count};
use crate::edit::Edit;

const ROOT_MAGIC: &[u8; 8] = b"FRZROOT1";
const PAGE_MAGIC: &[u8; 8] = b"FRZPAGE1";
const VERSION: u16 = 1;
const CRC_AT: usize = 12;
const CRC_FROM: usize = 16;
const PAGE_REF_BYTES: usize = 24;

/// Whose manifest it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    pub cluster: Uuid,
    pub shard: ShardId,
}

/// A page as roots name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageRef {
    pub id: Uuid,
    pub bytes: u32,
    pub crc: u32,
}

/// One version of a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Root {
    pub sequence: u64,
    pub writer: Uuid,
    pub written_ms: i64,
    pub pages: Vec<PageRef>,
    /// As they stand in it.
    pub edits: Bytes,
}

impl Root {
    pub fn encode(&self, owner: Owner) -> Bytes {
        let mut out = begin(ROOT_MAGIC, owner);
        out.extend_from_slice(&self.sequence.to_le_bytes());
        out.extend_from_slice(self.writer.as_bytes());
        out.extend_from_slice(&self.written_ms.to_le_bytes());
        put_count(&mut out, self.pages.len());
        out.extend_from_slice(&[0; 4]);
        for page in &self.pages {
            out.extend_from_slice(page.id.as_bytes());
            out.extend_from_slice(&page.bytes.to_le_bytes());
            out.extend_from_slice(&page.crc.to_le_bytes());
        }
        out.extend_from_slice(&self.edits);
        finish(out)
    }

    /// `Damaged` where it is not what it should be; its edits are read later.
    pub fn decode(owner: Owner, sequence: u64, bytes: &Bytes) -> Result<Root> {
        let mut reader = open(ROOT_MAGIC, "root", owner, bytes)?;
        let root = (|| {
            let (sequence, writer, written_ms) = (reader.u64()?, reader.uuid()?, reader.i64()?);
            let count = reader.u32()?;
            reader.take(4)?;
            if usize::try_from(count).ok()? > reader.0.len() / PAGE_REF_BYTES {
                return None;
            }
            let mut pages = Vec::new();
            for _ in 0..count {
                pages.push(PageRef { id: reader.uuid()?, bytes: reader.u32()?, crc: reader.u32()? });
            }
            Some(Root { sequence, writer, written_ms, pages, edits: bytes.slice_ref(reader.0) })
        })();
        root.filter(|root| root.sequence == sequence).ok_or_else(|| nonsense("root"))
    }

    pub fn edits(&self) -> Result<Vec<Edit>> {
        Edit::read_all(&self.edits).ok_or_else(|| nonsense("root"))
    }
}

/// A page with these edits, and how roots name it.
pub fn page(owner: Owner, id: Uuid, edits: &[u8]) -> (PageRef, Bytes) {
    let mut out = begin(PAGE_MAGIC, owner);
    out.extend_from_slice(edits);
    let bytes = finish(out);
    let length = u32::try_from(bytes.len()).expect("pages are bounded");
    (PageRef { id, bytes: length, crc: crc32c::crc32c(&bytes) }, bytes)
}

/// The edits of a page that a root names.
pub fn page_edits(owner: Owner, page: &PageRef, bytes: &Bytes) -> Result<Vec<Edit>> {
    if bytes.len() != page.bytes as usize || crc32c::crc32c(bytes) != page.crc {
        return Err(Error::damaged(format!(
            "page {} of the archive's manifest is not what its root names: its length or CRC-32C is wrong",
            page.id
        )));
    }
    let reader = open(PAGE_MAGIC, "page", owner, bytes)?;
    Edit::read_all(reader.0).ok_or_else(|| nonsense("page"))
}

fn begin(magic: &[u8; 8], owner: Owner) -> Vec<u8> {
    let mut out = Vec::with_capacity(4096);
    out.extend_from_slice(magic);
    out.extend_from_slice(&VERSION.to_le_bytes());
    out.extend_from_slice(&owner.shard.0.to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(owner.cluster.as_bytes());
    out
}

fn finish(mut out: Vec<u8>) -> Bytes {
    let crc = crc32c::crc32c(&out[CRC_FROM..]);
    out[CRC_AT..CRC_FROM].copy_from_slice(&crc.to_le_bytes());
    out.into()
}

fn open<'a>(magic: &[u8; 8], what: &str, owner: Owner, bytes: &'a [u8]) -> Result<Reader<'a>> {
    let mut reader = Reader(bytes);
    let head = (|| Some((reader.take(8)?, reader.u16()?, reader.u16()?, reader.u32()?)))();
    let Some((found, version, shard, crc)) = head else { return Err(nonsense(what)) };
    if found != magic || crc32c::crc32c(&bytes[CRC_FROM..]) != crc {
        return Err(nonsense(what));
    }
    if version != VERSION {
        return Err(Error::invalid(format!(
            "a {what} of the archive's manifest has format {version}, this program knows {VERSION}; use a newer one"
        )));
    }
    match reader.uuid() {
        Some(cluster) if cluster == owner.cluster && shard == owner.shard.0 => Ok(reader),
        _ => Err(Error::damaged(format!("a {what} of the archive's manifest belongs to another cluster or shard"))),
    }
}

fn nonsense(what: &str) -> Error {
    Error::damaged(format!("a {what} of the archive's manifest is damaged; bring the object back from a copy"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWNER: Owner = Owner { cluster: Uuid::from_u128(5), shard: ShardId(1) };

    #[test]
    fn a_root_comes_back_and_every_changed_byte_is_noticed() {
        let (named, page) = page(OWNER, Uuid::from_u128(6), &Edit::Deleted { object: Uuid::nil() }.encode());
        let edits = Edit::Deleted { object: Uuid::from_u128(1) }.encode();
        let root = Root { sequence: 3, writer: Uuid::from_u128(7), written_ms: 8, pages: vec![named], edits };
        let bytes = root.encode(OWNER);
        assert_eq!(Root::decode(OWNER, 3, &bytes).unwrap(), root);
        assert_eq!(root.edits().unwrap(), [Edit::Deleted { object: Uuid::from_u128(1) }]);
        assert_eq!(page_edits(OWNER, &named, &page).unwrap(), [Edit::Deleted { object: Uuid::nil() }]);
        assert!(Root::decode(OWNER, 4, &bytes).is_err());
        assert!(Root::decode(Owner { shard: ShardId(0), ..OWNER }, 3, &bytes).is_err());
        for at in 0..bytes.len() {
            let mut changed = bytes.to_vec();
            changed[at] ^= 4;
            assert!(Root::decode(OWNER, 3, &changed.into()).is_err(), "byte {at}");
            assert!(Root::decode(OWNER, 3, &bytes.slice(..at)).is_err());
        }
        for at in 0..page.len() {
            let mut changed = page.to_vec();
            changed[at] ^= 4;
            assert!(page_edits(OWNER, &named, &changed.into()).is_err(), "byte {at}");
        }
    }
}
