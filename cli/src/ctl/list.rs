// SPDX-License-Identifier: MPL-2.0
//! `andon ctl list`: the lines that answer.

use std::{fs, path::PathBuf};

use andon_control::{
    client::{self, Client, Found},
    reply::Element,
    request::Request,
};
use andon_core::text::shown;
use anyhow::Result;
use serde_json::json;

use super::{
    line::Asker,
    target::{self, Target},
};
use crate::table::table;

/// Prints the lines that answer in the folders where they listen, and at the address that was named.
pub fn execute(line: Option<&str>, asker: &Asker, json: bool) -> Result<()> {
    let (folders, socket) = match Target::here(line)? {
        Target::Among { folders, .. } => (folders, None),
        Target::Socket(path) => (target::folders(), Some(path)),
    };
    let mut found: Vec<_> = folders.iter().flat_map(|folder| client::lines(folder)).collect();
    if let Some(path) = socket.filter(|path| !found.iter().any(|f| f.path == *path)) {
        let hello = Client::connect(&path)?.hello().clone();
        found.push(Found { path, hello });
    }
    let mut rows = table(&["line", "process", "program", "access", "elements", "socket"]);
    for found in &found {
        let (program, elements) = (program(found.hello.pid), elements(&found.path, asker));
        let access = serde_json::to_value(found.hello.access)?;
        if json {
            println!("{}", json!({"path": found.path, "program": program, "hello": found.hello, "elements": elements}));
            continue;
        }
        let names: Vec<_> = elements.iter().map(|e| &*e.name).collect();
        rows.add_row([
            shown(&found.hello.name).into_owned(),
            found.hello.pid.to_string(),
            shown(&program).into_owned(),
            access.as_str().unwrap_or_default().into(),
            shown(&names.join(", ")).into_owned(),
            shown(&found.path.to_string_lossy()).into_owned(),
        ]);
    }
    if found.is_empty() {
        let folders: Vec<_> = folders.iter().map(|f| f.display().to_string()).collect();
        eprintln!("andon: no line answers in {}: {}", folders.join(" or "), target::HOW);
    } else if !json {
        println!("{rows}");
    }
    Ok(())
}

/// The name of a process's program, as far as it may be known.
fn program(pid: u32) -> String {
    let name = fs::read_link(format!("/proc/{pid}/exe")).ok();
    let name = name.as_deref().and_then(|p| p.file_name()).map(|n| n.to_string_lossy().into_owned());
    name.or_else(|| fs::read_to_string(format!("/proc/{pid}/comm")).ok().map(|n| n.trim_end().into()))
        .unwrap_or_default()
}

/// The elements of a line; none of one that does not tell.
fn elements(path: &PathBuf, asker: &Asker) -> Vec<Element> {
    let ask = |mut client: Client| client.ask(&Request::Elements { describe: false }, Some(&asker.who), None).ok();
    let answer = Client::connect(path).ok().and_then(ask);
    answer.and_then(|all| serde_json::from_value(all).ok()).unwrap_or_default()
}
