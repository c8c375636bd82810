//! Which files are kept to become segments again?
//!
//! A segment that goes is set aside under another name; the next segment is made of it, by a new header and a name, and
//! nothing has to be zeroed. What stands in it of its earlier life has another generation and another position.

use std::io;
use std::path::{Path, PathBuf};

use model::Result;
use model::limits::SEGMENT_SPARES_MAX;
use runtime::{DirEntry, Driver, LogFile};

use crate::segment::{DATA_START, Segment};
use crate::store::{Store, close_file, uncreatable};

/// The name of a file that was the segment with this number.
fn spare_name(number: u64) -> String {
    format!("spare-{number:010}.log")
}

fn spare_of(name: &str) -> Option<u64> {
    let number = name.strip_prefix("spare-")?.strip_suffix(".log")?.parse().ok()?;
    (spare_name(number) == name).then_some(number)
}

impl<D: Driver> Store<D> {
    /// Takes over the spare files of the folder: a few of the right length, the others are removed.
    pub(crate) async fn find_spares(&self, entries: &[DirEntry]) -> Result<()> {
        for entry in entries {
            let Some(number) = spare_of(&entry.name) else { continue };
            if entry.len == self.segment_bytes() && self.spares.borrow().len() < SEGMENT_SPARES_MAX {
                self.spares.borrow_mut().push(number);
                continue;
            }
            let path = self.spare_path(number);
            self.driver().remove(&path).await.map_err(|error| uncreatable(&path, &error))?;
        }
        Ok(())
    }

    /// True if the file of this segment is to be kept.
    pub(crate) fn wants(&self, segment: &Segment) -> bool {
        segment.bytes == self.segment_bytes() && self.spares.borrow().len() < SEGMENT_SPARES_MAX
    }

    /// The file of a segment becomes a spare one.
    pub(crate) async fn set_aside(&self, number: u64) -> io::Result<()> {
        self.driver().rename(&self.path(number), &self.spare_path(number)).await?;
        self.spares.borrow_mut().push(number);
        Ok(())
    }

    /// Makes a file full of zeros. Where the disk has no room for it, nothing of it stays.
    pub(crate) async fn make_spare(&self, number: u64) -> io::Result<()> {
        let path = self.spare_path(number);
        remove_if_there(self.driver(), &path).await?;
        let made = self.driver().create_log(&path, self.segment_bytes()).await;
        match made {
            Ok(file) => {
                close_file(file).await;
                self.spares.borrow_mut().push(number);
                Ok(())
            }
            Err(error) => {
                if let Err(error) = remove_if_there(self.driver(), &path).await {
                    tracing::warn!(path = %path.display(), "what there is of it stays for now: {error}");
                }
                Err(error)
            }
        }
    }

    /// Makes a segment of a spare file: the header is durable before the file has the segment's name.
    pub(crate) async fn reuse(&self, segment: &Segment) -> io::Result<D::Log> {
        let number = self.spares.borrow_mut().pop().ok_or(io::ErrorKind::NotFound)?;
        let path = self.spare_path(number);
        let file = self.driver().open_log(&path).await?;
        let mut header = file.alloc(DATA_START as usize);
        segment.encode(&mut header);
        file.write_at(0, header).await?;
        self.driver().rename(&path, &self.path(segment.number)).await?;
        Ok(file)
    }

    fn spare_path(&self, number: u64) -> PathBuf {
        self.dir().join(spare_name(number))
    }
}

pub(crate) async fn remove_if_there<D: Driver>(driver: &D, path: &Path) -> io::Result<()> {
    match driver.remove(path).await {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
