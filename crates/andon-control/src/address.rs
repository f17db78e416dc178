// SPDX-License-Identifier: MPL-2.0
//! Where a line listens: `unix:PATH?mode=0660&group=andon`.

use std::{
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    str::FromStr,
};

/// The longest path that a Unix socket can have, bytes: the kernel's 108 without the closing zero.
pub const LONGEST_PATH: usize = 107;

/// The longest name of a line, bytes.
const LONGEST_NAME: usize = 64;

/// Read and write, for the owner: the line's own user always reaches its socket.
const OWNERS: u32 = 0o600;

/// What [`Address::parse`] takes, for messages.
const FORM: &str =
    "unix:PATH?name=line1&mode=0660&group=andon&look-mode=0666, where all from the question mark on may be left out";

/// Where a line listens, and who may come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// The socket, or a folder for it; the default folder if none is given.
    pub path: Option<PathBuf>,
    /// The name of the line.
    pub name: Option<String>,
    /// The mode of the socket.
    pub mode: u32,
    /// The mode of the read-only socket.
    pub look_mode: u32,
    /// The group that both sockets are given to.
    pub group: Option<String>,
}

/// Why an address is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadAddress(String);

impl Address {
    /// Reads an address. Whether its path is a folder, and whether its group exists, is looked up when the socket is opened.
    ///
    /// # Errors
    ///
    /// In words: what is wrong, and what an address looks like.
    pub fn parse(text: &str) -> Result<Self, BadAddress> {
        let bad = |why: String| BadAddress(format!("the control socket's address \"{text}\": {why}"));
        let Some(rest) = text.strip_prefix("unix:") else {
            return Err(bad(format!("only Unix sockets are known; it is {FORM}")));
        };
        let (path, options) = rest.split_once('?').unwrap_or((rest, ""));
        if path.contains('\0') {
            return Err(bad("a path has no zero byte".into()));
        }
        let path = (!path.is_empty()).then(|| PathBuf::from(path));
        let mut address = Self { path, name: None, mode: OWNERS, look_mode: OWNERS, group: None };
        let mut seen = Vec::new();
        for option in options.split('&').filter(|option| !option.is_empty()) {
            let (key, value) = option.split_once('=').ok_or_else(|| bad(format!("\"{option}\" has no value")))?;
            if seen.contains(&key) {
                return Err(bad(format!("{key} is given twice")));
            }
            seen.push(key);
            match key {
                "name" => address.name = Some(name(value).map_err(bad)?),
                "mode" => address.mode = mode(value).map_err(bad)?,
                "look-mode" => address.look_mode = mode(value).map_err(bad)?,
                "group" if !value.is_empty() => address.group = Some(value.into()),
                "group" => return Err(bad("group has no name".into())),
                _ => return Err(bad(format!("{key} is unknown; it is {FORM}"))),
            }
        }
        if !seen.contains(&"look-mode") {
            address.look_mode = address.mode;
        }
        if address.group.is_some() && (address.mode | address.look_mode) & 0o020 == 0 {
            let how = "add mode=0660 to let it act, or look-mode=0660 to let it look";
            return Err(bad(format!("a group is named, and no mode lets it in; {how}")));
        }
        Ok(address)
    }

    /// The paths of the two sockets, the full one and the read-only one, of a process: `name` is used for the file where
    /// the address gives a folder and no name.
    ///
    /// # Errors
    ///
    /// If a path is longer than [`LONGEST_PATH`], or that of a folder that is not there.
    pub fn sockets(&self, name: &str, pid: u32) -> Result<(PathBuf, PathBuf), BadAddress> {
        let name = self.name.as_deref().unwrap_or(name);
        let inside = |folder: &Path| folder.join(format!("{}-{pid}.sock", plain(name)));
        let full = match &self.path {
            None => inside(&default_folder()),
            Some(path) if path.as_os_str().as_bytes().ends_with(b"/") || path.is_dir() => inside(path),
            Some(path) => {
                // Of `a/.` and `a/..` the standard library and the kernel have different ideas where the file is.
                let last = path.as_os_str().as_bytes().rsplit(|b| *b == b'/').next();
                if matches!(last, Some(b"." | b"..")) {
                    return Err(BadAddress(format!("{} is no path of a socket, and no folder", path.display())));
                }
                path.clone()
            }
        };
        let look = look_beside(&full);
        let length = look.as_os_str().len();
        if length > LONGEST_PATH {
            return Err(BadAddress(format!(
                "{} has {length} bytes, and the path of a socket has at most {LONGEST_PATH}; choose a shorter one",
                look.display()
            )));
        }
        Ok((full, look))
    }
}

impl FromStr for Address {
    type Err = BadAddress;

    fn from_str(text: &str) -> Result<Self, BadAddress> {
        Self::parse(text)
    }
}

/// The folder of sockets of this user: `$XDG_RUNTIME_DIR/andon`, or `/run/andon` where that is not set.
pub fn default_folder() -> PathBuf {
    match std::env::var_os("XDG_RUNTIME_DIR") {
        Some(folder) if Path::new(&folder).is_absolute() => Path::new(&folder).join("andon"),
        _ => PathBuf::from("/run/andon"),
    }
}

/// The path of the read-only socket beside a socket: `X.look.sock` for `X.sock`, and `X.look` for any other `X`.
pub fn look_beside(full: &Path) -> PathBuf {
    if full.extension().is_some_and(|e| e == "sock") {
        full.with_extension("look.sock")
    } else {
        let mut path = full.as_os_str().to_owned();
        path.push(".look");
        path.into()
    }
}

fn name(value: &str) -> Result<String, String> {
    if value.is_empty() || value != plain(value) {
        return Err(format!(
            "the name \"{value}\" must be 1 to {LONGEST_NAME} letters, digits, '.', '_' and '-', for it names a file"
        ));
    }
    Ok(value.into())
}

/// A name as the part of a file's name: what is no letter, digit, '.', '_' or '-' becomes '_'.
fn plain(name: &str) -> String {
    let fits = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' };
    let short: String = name.chars().map(fits).take(LONGEST_NAME).collect();
    if short.is_empty() || short.starts_with('.') { format!("_{}", short.trim_start_matches('.')) } else { short }
}

fn mode(value: &str) -> Result<u32, String> {
    let octal = value.len() <= 4 && !value.is_empty() && value.bytes().all(|b| (b'0'..b'8').contains(&b));
    let mode = octal.then(|| u32::from_str_radix(value, 8).ok()).flatten();
    match mode {
        Some(mode) if mode & !0o666 == 0 && mode & OWNERS == OWNERS => Ok(mode),
        _ => Err(format!("the mode \"{value}\" must be octal, from 0600 to 0666, and without execution, such as 0660")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_or_refused_with_the_reason() {
        let address = Address::parse("unix:/run/a b/x.sock?mode=0660&group=andon&name=line1&look-mode=0666").unwrap();
        let expected = Address {
            path: Some("/run/a b/x.sock".into()),
            name: Some("line1".into()),
            mode: 0o660,
            look_mode: 0o666,
            group: Some("andon".into()),
        };
        assert_eq!(address, expected);
        assert_eq!(Address::parse("unix:?mode=0660").unwrap().look_mode, 0o660, "as the other, if it is not said");
        let bad = [
            ("tcp:1234", "only Unix sockets"),
            ("/run/x.sock", "only Unix sockets"),
            ("unix:/x?mode=0777", "without execution"),
            ("unix:/x?mode=0060", "0600 to 0666"),
            ("unix:/x?mode=660x", "must be octal"),
            ("unix:/x?mode=00660", "must be octal"),
            ("unix:/x?mode=0660&mode=0600", "given twice"),
            ("unix:/x?group=andon", "no mode lets it in"),
            ("unix:/x?group=&mode=0660", "no name"),
            ("unix:/x?colour=red", "colour is unknown"),
            ("unix:/x?name", "has no value"),
            ("unix:/x?name=a/b", "names a file"),
            ("unix:/x?name=..", "names a file"),
            ("unix:/x\0y", "zero byte"),
        ];
        for (text, why) in bad {
            let error = Address::parse(text).unwrap_err().to_string();
            assert!(error.contains(why) && error.contains(text), "{text}: {error}");
        }
    }

    #[test]
    fn a_folder_is_given_a_file_and_the_second_socket_is_beside_the_first() {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path().display();
        let inside = |file: &str| folder.path().join(file);
        let cases = [
            (format!("unix:{at}"), inside("gst_launch-7.sock"), inside("gst_launch-7.look.sock")),
            (format!("unix:{at}/none/?name=l1"), inside("none/l1-7.sock"), inside("none/l1-7.look.sock")),
            (format!("unix:{at}/x.sock?name=l1"), inside("x.sock"), inside("x.look.sock")),
            (format!("unix:{at}/x"), inside("x"), inside("x.look")),
        ];
        for (text, full, look) in cases {
            assert_eq!(Address::parse(&text).unwrap().sockets("gst launch", 7).unwrap(), (full, look), "{text}");
        }
        let long = Address::parse(&format!("unix:/{}", "x".repeat(103))).unwrap();
        let error = long.sockets("n", 7).unwrap_err().to_string();
        assert!(error.contains("109 bytes") && error.contains("at most 107"), "{error}");
        for text in ["unix:/no-such-folder/.", "unix:/no-such-folder/.."] {
            let error = Address::parse(text).unwrap().sockets("n", 7).unwrap_err().to_string();
            assert!(error.contains("no folder"), "{error}");
        }
        let fits = Address::parse(&format!("unix:/{}", "x".repeat(101))).unwrap();
        assert!(fits.sockets("n", 7).is_ok());
    }
}
