//! What does the disk hold, what would be left of it after a loss of power, and what does it do wrong?
//!
//! Names behave as on ext4: a change is seen at once, and durable when its folder is synced; of the changes of a folder
//! that are not, a crash leaves the first few. A file that was never synced may come back short or with zeros.

mod faults;
mod files;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::path::{Path, PathBuf};

use model::limits::IO_ALIGN;

use crate::buffer::IoBuf;
use crate::clock::Random;
use crate::driver::DirEntry;
use files::{File, scatter};

pub use faults::Faults;

/// The files of a disk.
pub type Image = BTreeMap<PathBuf, Vec<u8>>;

/// A change of names that is seen and not durable.
#[derive(Debug, Clone)]
enum Change {
    Link(PathBuf, u64),
    Unlink(PathBuf),
    Rename(PathBuf, PathBuf),
}

/// A log write that has begun.
struct InFlight {
    id: u64,
    file: u64,
    at: usize,
    buffer: IoBuf,
}

/// A disk in memory.
#[derive(Default)]
pub struct Disk {
    files: HashMap<u64, File>,
    names: BTreeMap<PathBuf, u64>,
    durable_names: BTreeMap<PathBuf, u64>,
    changes: Vec<Change>,
    folders: BTreeSet<PathBuf>,
    in_flight: Vec<InFlight>,
    in_flight_most: usize,
    next: u64,
    /// Writes beyond this length of a file fail, as with a limit of the process.
    pub(crate) file_bytes_max: Option<u64>,
}

impl Disk {
    /// All of `image` is durable.
    pub fn new(image: Image) -> Disk {
        let mut disk = Disk::default();
        for (path, bytes) in image {
            disk.put(&path, bytes);
        }
        disk
    }

    /// A file that was always there, in a folder that was.
    pub(crate) fn put(&mut self, path: &Path, bytes: Vec<u8>) {
        let file = self.number();
        self.files.insert(file, File::durable(bytes));
        self.folders.extend(path.ancestors().skip(1).map(Path::to_owned));
        self.names.insert(path.to_owned(), file);
        self.durable_names.insert(path.to_owned(), file);
    }

    pub(super) fn image(&self) -> Image {
        self.names.iter().map(|(path, file)| (path.clone(), self.files[file].bytes.clone())).collect()
    }

    pub(super) fn crash_image(&self, dice: &Random, sector: usize) -> Image {
        let mut image = Image::new();
        for (path, number) in self.names_after_crash(dice) {
            let file = &self.files[&number];
            let mut bytes = file.after_crash(dice, sector);
            for write in self.in_flight.iter().filter(|write| write.file == number) {
                scatter(&mut bytes, write.at, &write.buffer, sector, dice);
            }
            image.insert(path, bytes);
        }
        image
    }

    /// As [`Disk::crash_image`], by a seed of its own.
    #[cfg(test)]
    pub(crate) fn crash_image_of(&self, seed: u64) -> Image {
        self.crash_image(&Random::of(seed), 512)
    }

    fn names_after_crash(&self, dice: &Random) -> BTreeMap<PathBuf, u64> {
        let mut changed: BTreeMap<&Path, u64> = BTreeMap::new();
        self.changes.iter().for_each(|change| *changed.entry(change.folder()).or_default() += 1);
        // What each folder keeps: the first so many of its changes.
        changed.values_mut().for_each(|count| *count = dice.next() % (*count + 1));
        let mut names = self.durable_names.clone();
        for change in &self.changes {
            let left = changed.get_mut(change.folder()).expect("counted above");
            if *left > 0 {
                *left -= 1;
                change.apply(&mut names);
            }
        }
        names
    }

    pub(super) fn flip(&mut self, n: usize, at: usize) {
        let file = *self.names.values().nth(n).expect("there is such a file");
        self.files.get_mut(&file).expect("names have files").bytes[at] ^= 0x10;
    }

    pub(super) fn in_flight_most(&self) -> usize {
        self.in_flight_most
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn change(&mut self, change: Change) {
        change.apply(&mut self.names);
        self.changes.push(change);
    }

    fn find(&self, path: &Path) -> io::Result<u64> {
        self.names.get(path).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn file(&mut self, path: &Path) -> io::Result<&mut File> {
        let file = self.find(path)?;
        Ok(self.files.get_mut(&file).expect("names have files"))
    }

    /// Makes a file; where the disk has no room for all of it, with what there is room for.
    pub(super) fn create(&mut self, path: &Path, mut bytes: Vec<u8>, quota: Option<u64>) -> io::Result<()> {
        if self.names.contains_key(path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        if !path.parent().is_some_and(|folder| self.folders.contains(folder)) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let wanted = bytes.len();
        bytes.truncate(self.room(quota));
        let whole = bytes.len() == wanted;
        let file = self.number();
        self.files.insert(file, File::fresh(bytes));
        self.change(Change::Link(path.to_owned(), file));
        if whole { Ok(()) } else { Err(io::Error::from_raw_os_error(libc::ENOSPC)) }
    }

    /// How much there is room for, in whole blocks.
    fn room(&self, quota: Option<u64>) -> usize {
        let used: u64 = self.names.values().map(|file| self.files[file].bytes.len() as u64).sum();
        let room = quota.map_or(u64::MAX, |quota| quota.saturating_sub(used));
        usize::try_from(room).unwrap_or(usize::MAX) / IO_ALIGN * IO_ALIGN
    }

    /// Adds bytes to a file, which is made if it is missing; as many of them as there is room for.
    pub(super) fn append(&mut self, path: &Path, bytes: &[u8], quota: Option<u64>) -> io::Result<()> {
        if !self.names.contains_key(path) {
            self.create(path, Vec::new(), None)?;
        }
        let count = bytes.len().min(self.room(quota));
        self.file(path)?.append_loosely(&bytes[..count]);
        if count == bytes.len() { Ok(()) } else { Err(io::Error::from_raw_os_error(libc::ENOSPC)) }
    }

    pub(super) fn sync(&mut self, path: &Path) -> io::Result<()> {
        self.file(path)?.sync();
        Ok(())
    }

    pub(super) fn unlink(&mut self, path: &Path) -> io::Result<()> {
        self.find(path)?;
        self.change(Change::Unlink(path.to_owned()));
        Ok(())
    }

    pub(super) fn unlink_if_there(&mut self, path: &Path) -> io::Result<()> {
        if self.names.contains_key(path) { self.unlink(path) } else { Ok(()) }
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        self.find(from)?;
        self.change(Change::Rename(from.to_owned(), to.to_owned()));
        Ok(())
    }

    /// Makes the names in the folder of `path` durable.
    pub(super) fn sync_folder_of(&mut self, path: &Path) -> io::Result<()> {
        let folder = path.parent().unwrap_or(Path::new("/"));
        let mut later = Vec::new();
        for change in std::mem::take(&mut self.changes) {
            if change.folder() == folder {
                change.apply(&mut self.durable_names);
            } else {
                later.push(change);
            }
        }
        self.changes = later;
        self.let_go();
        Ok(())
    }

    /// Drops files that nobody can reach any more.
    fn let_go(&mut self) {
        let linked = self.changes.iter().filter_map(|change| match change {
            Change::Link(_, file) => Some(*file),
            Change::Unlink(_) | Change::Rename(..) => None,
        });
        let named = self.names.values().chain(self.durable_names.values()).copied();
        let reachable: BTreeSet<u64> = named.chain(linked).collect();
        self.files.retain(|number, file| file.handles > 0 || reachable.contains(number));
    }

    pub(crate) fn make_folder(&mut self, path: &Path) -> io::Result<()> {
        self.folders.extend(path.ancestors().map(Path::to_owned));
        Ok(())
    }

    pub(super) fn list(&self, folder: &Path) -> io::Result<Vec<DirEntry>> {
        if !self.folders.contains(folder) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let inside = self.names.iter().filter(|(path, _)| path.parent() == Some(folder));
        let entries = inside.filter_map(|(path, file)| {
            let name = path.file_name()?.to_str()?.to_owned();
            Some(DirEntry { name, len: self.files[file].bytes.len() as u64 })
        });
        Ok(entries.collect())
    }

    #[cfg(test)]
    pub(crate) fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let file = self.find(path)?;
        Ok(self.files[&file].bytes.clone())
    }

    /// Opens a file: its number and its length. It stays readable until it is closed, whatever becomes of its name.
    pub(super) fn open(&mut self, path: &Path) -> io::Result<(u64, u64)> {
        let number = self.find(path)?;
        let file = self.file(path)?;
        file.handles += 1;
        Ok((number, file.bytes.len() as u64))
    }

    pub(super) fn close(&mut self, number: u64) {
        let Some(file) = self.files.get_mut(&number) else { return };
        file.handles -= 1;
        if file.handles == 0 {
            self.let_go();
        }
    }

    /// Bytes of an open file, inside its length.
    pub(super) fn bytes(&self, number: u64, pos: u64, len: usize) -> &[u8] {
        let at = usize::try_from(pos).expect("inside the file");
        &self.files[&number].bytes[at..at + len]
    }

    /// A write begins; it ends by [`Disk::end_write`] with the number that this returns.
    pub(super) fn begin_write(&mut self, file: u64, pos: u64, buffer: IoBuf) -> u64 {
        let (id, at) = (self.number(), usize::try_from(pos).expect("inside the file"));
        self.in_flight.push(InFlight { id, file, at, buffer });
        self.in_flight_most = self.in_flight_most.max(self.in_flight.len());
        id
    }

    /// A write ends: all of it is durable, or `fault` says that nobody knows.
    pub(super) fn end_write(
        &mut self,
        id: u64,
        fault: io::Result<()>,
        dice: &Random,
        faults: &Faults,
    ) -> Option<(u64, io::Result<()>, IoBuf)> {
        let place = self.in_flight.iter().position(|write| write.id == id)?;
        let InFlight { file, at, buffer, .. } = self.in_flight.swap_remove(place);
        let too_long = self.file_bytes_max.is_some_and(|most| (at + buffer.len()) as u64 > most);
        let file = self.files.get_mut(&file).expect("files that are written are open");
        if too_long {
            return Some((at as u64, Err(io::Error::from_raw_os_error(libc::EFBIG)), buffer));
        }
        if fault.is_err() {
            file.tear(at, &buffer, faults.sector_bytes.get(), dice);
        } else if faults.forgets.get() {
            file.write_loosely(at, &buffer);
        } else {
            file.write(at, &buffer);
        }
        let told = if faults.hides_errors.get() { Ok(()) } else { fault };
        Some((at as u64, told, buffer))
    }

    /// The process is gone; the writes that it has begun come to their end.
    pub(super) fn settle(&mut self) {
        for InFlight { file, at, buffer, .. } in std::mem::take(&mut self.in_flight) {
            self.files.get_mut(&file).expect("files that are written are open").write(at, &buffer);
        }
    }
}

impl Change {
    fn folder(&self) -> &Path {
        let (Change::Link(path, _) | Change::Unlink(path) | Change::Rename(path, _)) = self;
        path.parent().unwrap_or(Path::new("/"))
    }

    fn apply(&self, names: &mut BTreeMap<PathBuf, u64>) {
        match self {
            Change::Link(path, file) => drop(names.insert(path.clone(), *file)),
            Change::Unlink(path) => drop(names.remove(path)),
            Change::Rename(from, to) => {
                if let Some(file) = names.remove(from) {
                    names.insert(to.clone(), file);
                }
            }
        }
    }
}
