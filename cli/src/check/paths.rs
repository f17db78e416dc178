// SPDX-License-Identifier: MPL-2.0
//! Whether a file can be read, and whether a folder can be written to: asked of the system, without a trial.

use std::path::Path;

use rustix::fs::{Access, access};

/// What is wrong with a path.
pub struct Fault {
    pub what: String,
    pub cure: String,
}

fn fault(what: String, cure: &str) -> Option<Fault> {
    Some(Fault { what, cure: cure.into() })
}

/// Returns why a file cannot be read.
pub fn readable(path: &Path) -> Option<Fault> {
    let shown = path.display();
    match access(path, Access::READ_OK) {
        Ok(()) if path.is_dir() => fault(format!("{shown} is a folder"), "Name a file in it."),
        Ok(()) => None,
        Err(_) if !path.exists() => fault(
            format!("there is no file {shown}"),
            "Correct the path; one that does not begin with / counts from the folder that andon is started in.",
        ),
        Err(_) => fault(format!("{shown} may not be read"), "Give this user the right to read it."),
    }
}

/// Returns why nothing can be written to a folder. One that is not there is made when the pipeline starts, if the nearest one
/// above it allows that.
pub fn folder(path: &Path) -> Option<Fault> {
    let shown = path.display();
    let above = path.ancestors().map(|p| if p.as_os_str().is_empty() { Path::new(".") } else { p });
    let first = above.into_iter().find(|p| p.exists())?;
    if !first.is_dir() {
        return fault(format!("{shown} is no folder, for {} is a file", first.display()), "Name another folder.");
    }
    match access(first, Access::WRITE_OK | Access::EXEC_OK) {
        Ok(()) => None,
        Err(_) => {
            let at = first.display();
            fault(
                format!("nothing can be written to {shown}: {at} does not allow it"),
                "Give this user the right to write there, or name another folder.",
            )
        }
    }
}

/// Returns why a file cannot be written: it is a folder, may not be written, or its folder is not there.
pub fn in_folder(path: &Path) -> Option<Fault> {
    if path.is_dir() {
        return fault(format!("{} is a folder", path.display()), "Name a file in it.");
    }
    if path.exists() {
        return match access(path, Access::WRITE_OK) {
            Ok(()) => None,
            Err(_) => fault(format!("{} may not be written", path.display()), "Give this user the right to write it."),
        };
    }
    let above = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !above.exists() {
        return fault(format!("there is no folder {}", above.display()), "Make it, or name another file.");
    }
    folder(above)
}
