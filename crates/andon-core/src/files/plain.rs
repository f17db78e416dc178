// SPDX-License-Identifier: MPL-2.0
//! Reading a file that somebody else has put there: a plain file, up to a size, and never something that makes the reader
//! wait for ever.

use std::{
    fs::{File, Metadata, OpenOptions},
    io::{self, Read as _},
    path::{Component, Path},
    sync::Arc,
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

/// Opens the plain file `name` below a folder for reading, as [`open`] does, but follows no link below the folder: what is
/// opened lies there, whoever changes the folder meanwhile.
///
/// # Errors
/// Those of [`open`]; a name that is not a relative path of plain steps; and a link on the way, told as [`NotPlain`].
pub fn open_in(folder: &Path, name: &Path) -> io::Result<File> {
    let steps: Vec<_> = name.components().filter(|step| *step != Component::CurDir).collect();
    if steps.is_empty() || steps.iter().any(|step| !matches!(step, Component::Normal(_))) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "is not a relative path of plain steps"));
    }
    below(folder, &steps)
}

#[cfg(unix)]
fn below(folder: &Path, steps: &[Component<'_>]) -> io::Result<File> {
    use rustix::fs::{AtFlags, FileType, Mode, OFlags, open, openat, statat};
    let not_plain = |kind| io::Error::new(io::ErrorKind::InvalidInput, NotPlain::Kind(kind));
    let way = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut at = open(folder, way, Mode::empty())?;
    let (last, above) = steps.split_last().expect("there is a step");
    for step in above {
        if FileType::from_raw_mode(statat(&at, step.as_os_str(), AtFlags::SYMLINK_NOFOLLOW)?.st_mode)
            == FileType::Symlink
        {
            return Err(not_plain("below a link"));
        }
        at = openat(&at, step.as_os_str(), way | OFlags::NOFOLLOW, Mode::empty())?;
    }
    let found = FileType::from_raw_mode(statat(&at, last.as_os_str(), AtFlags::SYMLINK_NOFOLLOW)?.st_mode);
    if let Some(kind) = other(found) {
        return Err(not_plain(kind));
    }
    // What lies there may have become something else meanwhile.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = File::from(openat(&at, last.as_os_str(), flags, Mode::empty())?);
    plain(&file.metadata()?)?;
    Ok(file)
}

/// What a file is that is no plain one.
#[cfg(unix)]
fn other(kind: rustix::fs::FileType) -> Option<&'static str> {
    use rustix::fs::FileType;
    match kind {
        FileType::RegularFile => None,
        FileType::Directory => Some("a folder"),
        FileType::Symlink => Some("a link"),
        FileType::Fifo => Some("a FIFO"),
        FileType::Socket => Some("a socket"),
        FileType::CharacterDevice | FileType::BlockDevice => Some("a device"),
        _ => Some("neither a file nor a folder"),
    }
}

#[cfg(not(unix))]
fn below(folder: &Path, steps: &[Component<'_>]) -> io::Result<File> {
    let mut path = folder.to_path_buf();
    for step in steps {
        path.push(step);
        if path.symlink_metadata()?.file_type().is_symlink() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, NotPlain::Kind("a link, or below one")));
        }
    }
    open(&path)
}

/// Reads a plain file of at most `most` bytes, as [`open`] opens it.
///
/// # Errors
/// Those of [`open`], and a file that is larger.
pub fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let file = open(path)?;
    let size = known(&file, most)?;
    // One byte more shows that a file has grown, or that its system does not tell its size (/proc).
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(size + 1)?;
    file.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most { Err(too_large(most)) } else { Ok(bytes) }
}

/// Reads an open plain file of at most `most` bytes into memory that can be shared, in one piece and without a copy. The file
/// is read as long as it was when this began.
///
/// # Errors
/// Those of the system, a file that is larger, one for which there is no memory, and one that becomes shorter meanwhile.
pub fn read_shared(mut file: &File, most: u64) -> io::Result<Arc<[u8]>> {
    let size = known(file, most)?;
    // Memory that is shared cannot be asked for without ending the process if there is none: this asks.
    Vec::<u8>::new().try_reserve_exact(size)?;
    let mut bytes: Arc<[u8]> = std::iter::repeat_n(0, size).collect();
    file.read_exact(Arc::get_mut(&mut bytes).expect("nobody else has it yet"))?;
    Ok(bytes)
}

/// The size of a file, which may be at most `most`.
fn known(file: &File, most: u64) -> io::Result<usize> {
    let size = file.metadata()?.len();
    usize::try_from(size).ok().filter(|_| size <= most).ok_or_else(|| too_large(most))
}

fn too_large(most: u64) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, NotPlain::Size(most))
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
    fn below_a_folder_no_link_is_followed() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir_all(at("in/deep")).unwrap();
        fs::write(at("in/deep/file"), b"12345").unwrap();
        fs::write(at("outside"), b"secret").unwrap();
        std::os::unix::fs::symlink("../outside", at("in/link")).unwrap();
        std::os::unix::fs::symlink("deep", at("in/folder")).unwrap();
        std::os::unix::fs::symlink("in", at("way")).unwrap();
        let mode = rustix::fs::Mode::from_raw_mode(0o600);
        rustix::fs::mknodat(rustix::fs::CWD, at("in/fifo"), rustix::fs::FileType::Fifo, mode, 0).unwrap();
        let file = open_in(&at("way"), "./deep//file".as_ref()).unwrap();
        assert_eq!(*read_shared(&file, 5).unwrap(), *b"12345", "the folder itself may be a link");
        assert!(read_shared(&file, 4).unwrap_err().to_string().contains("more than 4 bytes"));
        for (name, problem) in [
            ("link", "is a link"),
            ("folder/file", "is below a link"),
            ("fifo", "is a FIFO"),
            ("deep", "is a folder"),
            ("../outside", "plain steps"),
            ("/etc/passwd", "plain steps"),
            ("", "plain steps"),
            (".", "plain steps"),
        ] {
            let e = open_in(&at("in"), name.as_ref()).unwrap_err().to_string();
            assert!(e.contains(problem), "{name}: {e}");
        }
        assert_eq!(open_in(&at("in"), "none".as_ref()).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

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
