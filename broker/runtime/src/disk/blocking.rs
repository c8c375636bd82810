//! How are files made, replaced, listed and removed, durably?

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use model::limits::IO_BYTES_MAX;

use crate::buffer::IoBuf;
use crate::disk::{check_len, pieces};
use crate::driver::DirEntry;

/// Makes a file of `len` zeroed bytes; its space is allocated and written, because the first write to space that is
/// merely allocated costs a journal entry each. File and folder are durable afterwards. Fails if the file exists.
pub(crate) fn create_zeroed(path: &Path, len: u64) -> io::Result<()> {
    check_len(len)?;
    let file = create_direct(path)?;
    let zeroes = IoBuf::zeroed(IO_BYTES_MAX);
    let mut pos = 0;
    while pos < len {
        let bytes = zeroes.len().min(usize::try_from(len - pos).unwrap_or(usize::MAX));
        file.write_all_at(&zeroes[..bytes], pos)?;
        pos += bytes as u64;
    }
    file.sync_all()?;
    sync_parent(path)
}

/// Creates without filling the page cache, where the file system can.
fn create_direct(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    // `create_new` alone would leave a file behind when the file system refuses O_DIRECT after making it.
    if path.try_exists()? {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, format!("{} exists already", path.display())));
    }
    match options.clone().custom_flags(libc::O_DIRECT).open(path) {
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => options.open(path),
        result => result,
    }
}

/// Writes a temporary file beside `path`, syncs it, renames it over `path`, syncs the folder.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(".tmp");
    let temporary = path.with_file_name(name);
    let mut file = File::create(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    drop(file);
    fs::rename(&temporary, path)?;
    sync_parent(path)
}

/// Adds bytes at the end of a file, which is made if it is missing. The bytes are durable afterwards.
pub(crate) fn append(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().append(true).create(true).open(path)?;
    for (_, range) in pieces(0, bytes.len()) {
        file.write_all(&bytes[range])?;
    }
    file.sync_data()
}

/// Gives a file another name in the same folder, durably.
pub(crate) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)?;
    sync_parent(to)
}

/// Removes a file, durably.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    fs::remove_file(path)?;
    sync_parent(path)
}

/// Makes a folder and those above it, durably. No error if it is there.
pub(crate) fn make_dir(path: &Path) -> io::Result<()> {
    let missing: Vec<&Path> = path.ancestors().take_while(|dir| !dir.as_os_str().is_empty() && !dir.exists()).collect();
    fs::create_dir_all(path)?;
    missing.into_iter().try_for_each(sync_parent)
}

/// What a folder holds, in the order of the names. Names that are no UTF-8 are none of ours.
pub(crate) fn list(dir: &Path) -> io::Result<Vec<DirEntry>> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let len = match entry.metadata() {
            Ok(metadata) => metadata.len(),
            // Removed since.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        if let Ok(name) = entry.file_name().into_string() {
            entries.push(DirEntry { name, len });
        }
    }
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(entries)
}

/// Reads `len` bytes, in operations of bounded size.
pub(crate) fn read_exact(file: &File, pos: u64, len: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; len];
    for (pos, range) in pieces(pos, len) {
        file.read_exact_at(&mut bytes[range], pos)?;
    }
    Ok(bytes)
}

fn sync_parent(path: &Path) -> io::Result<()> {
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    File::open(parent)?.sync_all()
}
