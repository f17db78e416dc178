// SPDX-License-Identifier: MPL-2.0
//! Which line is meant: `--line`, else `$ANDON_CONTROL`, else the only one that answers.

use std::path::{Path, PathBuf};

use andon_control::{
    address::{self, Address},
    client::{self, Found},
};
use anyhow::{Result, anyhow};

use crate::{app::Usage, meant::question};

/// How a line is made to listen, for whoever finds none.
pub const HOW: &str = "a line listens when it is started with ANDON_CONTROL, such as \
                   `ANDON_CONTROL=unix: gst-launch-1.0 …` or `ANDON_CONTROL=unix:/tmp/line.sock andon run …`";

/// Where a line is to be found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Its socket.
    Socket(PathBuf),
    /// A folder of sockets, and its name or process if it was named.
    Among {
        /// The folders.
        folders: Vec<PathBuf>,
        /// The name, or the number of the process.
        named: Option<String>,
    },
}

impl Target {
    /// Reads `--line` and `$ANDON_CONTROL`; `folders` are those where lines listen if nobody says where.
    ///
    /// # Errors
    /// An address that is none.
    pub fn of(line: Option<&str>, address: Option<&str>, folders: Vec<PathBuf>) -> Result<Self, Usage> {
        let parse = |text: &str| Address::parse(text).map_err(|e| Usage(e.to_string()));
        let place = |address: Address| {
            let path = address.path.unwrap_or_else(address::default_folder);
            match path.is_dir() || path.as_os_str().as_encoded_bytes().ends_with(b"/") {
                true => Self::Among { folders: vec![path], named: address.name },
                false => Self::Socket(path),
            }
        };
        match (line, address.filter(|a| !a.is_empty())) {
            (Some(""), _) => Err(Usage("--line is empty: give the name of a line or the path of its socket".into())),
            (Some(line), _) if line.starts_with("unix:") => parse(line).map(place),
            (Some(line), _) if Path::new(line).is_dir() => Ok(Self::Among { folders: vec![line.into()], named: None }),
            (Some(line), _) if line.contains('/') => Ok(Self::Socket(line.into())),
            (Some(name), address) => {
                let named = Some(name.to_string());
                Ok(match address.map(parse).transpose()?.map(place) {
                    Some(Self::Among { folders, .. }) => Self::Among { folders, named },
                    Some(Self::Socket(_)) | None => Self::Among { folders, named },
                })
            }
            (None, Some(address)) => parse(address).map(place),
            (None, None) => Ok(Self::Among { folders, named: None }),
        }
    }

    /// Reads `--line` and the environment.
    ///
    /// # Errors
    /// An address that is none.
    pub fn here(line: Option<&str>) -> Result<Self, Usage> {
        let address = std::env::var("ANDON_CONTROL").ok();
        Self::of(line, address.as_deref(), folders())
    }

    /// The path of the socket.
    ///
    /// # Errors
    /// No line that answers, or several of which none was named.
    pub fn find(&self) -> Result<PathBuf> {
        match self {
            Self::Socket(path) => Ok(path.clone()),
            Self::Among { folders, named } => {
                let found = folders.iter().flat_map(|folder| client::lines(folder)).collect::<Vec<_>>();
                pick(found, named.as_deref(), folders).map(|found| found.path)
            }
        }
    }

    /// The path of the same line's socket when it may have been started again: as it was named, else by its name, for its
    /// process may be another one. Another line that happens to be the only one is not it.
    ///
    /// # Errors
    /// It does not answer, or more than one line has its name.
    pub fn find_again(&self, name: &str) -> Result<PathBuf> {
        let Self::Among { folders, named } = self else { return self.find() };
        if named.is_some()
            && let Ok(path) = self.find()
        {
            return Ok(path);
        }
        Self::Among { folders: folders.clone(), named: Some(name.into()) }.find()
    }
}

/// The folders where lines listen if nobody says where: of this user, and of the system.
pub fn folders() -> Vec<PathBuf> {
    let mut all = vec![address::default_folder(), PathBuf::from("/run/andon")];
    all.dedup();
    all
}

fn pick(mut found: Vec<Found>, named: Option<&str>, folders: &[PathBuf]) -> Result<Found> {
    let is_meant = |f: &Found| named.is_none_or(|n| f.hello.name == n || f.hello.pid.to_string() == n);
    let others: Vec<_> = found.iter().map(said).collect();
    let names: Vec<_> = found.iter().map(|f| f.hello.name.clone()).collect();
    found.retain(is_meant);
    match (found.len(), named) {
        (1, _) => Ok(found.remove(0)),
        (0, Some(named)) if !others.is_empty() => {
            let meant = question(named, names.iter().map(String::as_str));
            Err(Usage(format!("no line is called '{named}': there are {}{meant}", others.join(", "))).into())
        }
        (0, _) => {
            let named = named.map(|n| format!(" '{n}'")).unwrap_or_default();
            let folders: Vec<_> = folders.iter().map(|f| f.display().to_string()).collect();
            Err(anyhow!("no line{named} answers in {}: {HOW}", folders.join(" or ")))
        }
        _ => {
            let lines: Vec<_> = found.iter().map(said).collect();
            let which = "say which with --line, by name, process or path";
            Err(Usage(format!("{} lines answer: {}: {which}", lines.len(), lines.join(", "))).into())
        }
    }
}

/// A line in a list of lines.
fn said(found: &Found) -> String {
    format!("{} (process {}, {})", found.hello.name, found.hello.pid, found.path.display())
}

#[cfg(test)]
mod tests {
    use andon_control::reply::{Access, Hello};
    use uuid::Uuid;

    use super::*;

    fn found(name: &str, pid: u32) -> Found {
        let hello = Hello {
            protocol: 1,
            andon: "0.1.0".into(),
            name: name.into(),
            pid,
            run: Uuid::nil(),
            seq: 0,
            access: Access::Own,
        };
        Found { path: format!("/run/andon/{name}-{pid}.sock").into(), hello }
    }

    #[test]
    fn a_line_is_a_name_a_path_or_an_address() {
        let folders = || vec![PathBuf::from("/run/andon")];
        let among = |folder: &str, named: Option<&str>| Target::Among {
            folders: vec![folder.into()],
            named: named.map(Into::into),
        };
        let socket = |path: &str| Target::Socket(path.into());
        let cases = [
            (Some("left"), None, among("/run/andon", Some("left"))),
            (Some("left"), Some("unix:/tmp/"), among("/tmp/", Some("left"))),
            (Some("left"), Some("unix:/x/y.sock"), among("/run/andon", Some("left"))),
            (Some("./y.sock"), Some("unix:/tmp/"), socket("./y.sock")),
            (Some("unix:/x/y.sock"), None, socket("/x/y.sock")),
            (Some("/tmp"), None, among("/tmp", None)),
            (None, Some("unix:/x/y.sock?mode=0660"), socket("/x/y.sock")),
            (None, Some("unix:/none/?name=left"), among("/none/", Some("left"))),
            (None, Some(""), among("/run/andon", None)),
            (None, None, among("/run/andon", None)),
        ];
        for (line, address, meant) in cases {
            assert_eq!(Target::of(line, address, folders()).unwrap(), meant, "{line:?} {address:?}");
        }
        assert!(Target::of(Some(""), None, folders()).is_err());
        assert!(Target::of(None, Some("tcp:1"), folders()).is_err());
    }

    #[test]
    fn of_several_lines_one_is_named_and_of_none_it_is_said_how_there_is_one() {
        let two = || vec![found("left", 7), found("right", 8)];
        let folders = [PathBuf::from("/run/andon")];
        assert_eq!(pick(two(), Some("right"), &folders).unwrap().hello.pid, 8);
        assert_eq!(pick(two(), Some("7"), &folders).unwrap().hello.name, "left");
        assert_eq!(pick(vec![found("left", 7)], None, &folders).unwrap().hello.pid, 7);
        let cases = [
            (two(), None, true, "2 lines answer: left (process 7, /run/andon/left-7.sock), right"),
            (vec![found("left", 7), found("left", 9)], Some("left"), true, "2 lines answer"),
            (two(), Some("middle"), true, "no line is called 'middle': there are left"),
            (
                vec![],
                None,
                false,
                "no line answers in /run/andon: a line listens when it is started with ANDON_CONTROL",
            ),
            (vec![], Some("left"), false, "no line 'left' answers"),
        ];
        for (lines, named, usage, said) in cases {
            let error = pick(lines, named, &folders).unwrap_err();
            assert!(error.to_string().contains(said), "{error}");
            assert_eq!(error.is::<Usage>(), usage, "{error}");
        }
    }
}
