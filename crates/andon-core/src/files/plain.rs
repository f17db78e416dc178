// SPDX-License-Identifier: MPL-2.0
//! Reading a file that somebody else has put there: a plain file, up to a size, and never something that makes the reader
//! wait for ever.

use std::{
    fs::{File, Metadata, OpenOptions},
    io::{self, Read as _},
    path::Path,
};

/// The most that is read of a text which a person or a program writes: a manifest, labels, keys, a policy, aliases.
pub const TEXT: u64 = 16 << 20;

/// The most that is read of a file of data: the labels of a set of pictures, a picture, a record of a run.
pub const DATA: u64 = 1 << 30;

/// What a path leads to instead of a plain file, and what its file holds too much of: the source of an [`io::Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotPlain {
    /// The path leads to something else.
    #[error("is {0}, and only plain files are read")]
    Kind(&'static str),
    /// The file is larger than what may be read.
    #[error("has more than {0} bytes, the most that is read of such a file")]
    Size(u64),
}

/// Opens a plain file for reading. A link leads to its target; a folder, a FIFO, a socket or a device is an error, told
/// without opening it, because opening a FIFO waits for its writer, and opening a device may do something.
///
/// # Errors
/// Those of the system, and [`NotPlain`] as the source of one of kind `InvalidInput`.
pub fn open(path: &Path) -> io::Result<File> {
    plain(&path.metadata()?)?;
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        // What lies there may have become a FIFO meanwhile.
        options.custom_flags((rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOCTTY).bits() as i32);
    }
    let file = options.open(path)?;
    plain(&file.metadata()?)?;
    Ok(file)
}

/// Reads a plain file of at most `most` bytes, as [`open`] opens it.
///
/// # Errors
/// Those of [`open`], and a file that is larger.
pub fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let file = open(path)?;
    let size = file.metadata()?.len();
    let too_large = || io::Error::new(io::ErrorKind::InvalidInput, NotPlain::Size(most));
    if size > most {
        return Err(too_large());
    }
    // One byte more shows that a file has grown, or that its system does not tell its size (/proc).
    let mut bytes = Vec::with_capacity(size as usize + 1);
    file.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most { Err(too_large()) } else { Ok(bytes) }
}

/// Reads a text, as [`read`] and [`decode`](crate::text::decode) do.
///
/// # Errors
/// Those of both; what is no text is of kind `InvalidData`.
pub fn read_text(path: &Path, most: u64) -> io::Result<String> {
    crate::text::decode(read(path, most)?).map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))
}

fn plain(found: &Metadata) -> io::Result<()> {
    let kind = found.file_type();
    if kind.is_file() {
        return Ok(());
    }
    #[cfg(unix)]
    let other = {
        use std::os::unix::fs::FileTypeExt as _;
        match kind {
            k if k.is_dir() => "a folder",
            k if k.is_fifo() => "a FIFO",
            k if k.is_socket() => "a socket",
            k if k.is_char_device() || k.is_block_device() => "a device",
            _ => "neither a file nor a folder",
        }
    };
    #[cfg(not(unix))]
    let other = if kind.is_dir() { "a folder" } else { "neither a file nor a folder" };
    Err(io::Error::new(io::ErrorKind::InvalidInput, NotPlain::Kind(other)))
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn only_plain_files_up_to_a_size_are_read_and_nothing_waits() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("file"), b"12345").unwrap();
        std::os::unix::fs::symlink(at("file"), at("link")).unwrap();
        rustix::fs::mknodat(
            rustix::fs::CWD,
            at("fifo"),
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::from_raw_mode(0o600),
            0,
        )
        .unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
        assert_eq!(read(&at("file"), 5).unwrap(), b"12345");
        assert_eq!(read(&at("link"), 5).unwrap(), b"12345", "a link leads to its file");
        let refusal = |path: &Path, most| read(path, most).unwrap_err().to_string();
        assert_eq!(refusal(&at("file"), 4), "has more than 4 bytes, the most that is read of such a file");
        for (path, kind) in [
            (at("fifo"), "is a FIFO"),
            (at("socket"), "is a socket"),
            (folder.path().into(), "is a folder"),
            ("/dev/zero".into(), "is a device"),
        ] {
            assert!(refusal(&path, 100).starts_with(kind), "{path:?}: {}", refusal(&path, 100));
        }
        assert!(refusal("/proc/self/maps".as_ref(), 10).contains("more than 10 bytes"), "a file that tells no size");
    }
}
