// SPDX-License-Identifier: MPL-2.0
//! What the program prints: names and texts from files and streams are shown as all that they say, so that none of them
//! moves the cursor, clears the screen or hides what follows. It holds for every `println!` of the program, because nobody
//! remembers it at each.
//!
//! A reader that has seen enough (`andon … | head`) ends nothing: printing stops, the command does what it was asked, and its
//! exit code is what it would have been. A line plays on, and a bundle that is half written is written whole. Output that
//! cannot be written otherwise, on a full disk, is told once, and the exit code is not 0.

use std::{
    fmt::Arguments,
    io::{self, ErrorKind, Write, stderr, stdout},
    process::ExitCode,
    sync::Mutex,
};

use andon_report::words::plain;

/// What became of the standard output.
#[derive(Debug, Default)]
enum Output {
    /// It takes what is printed.
    #[default]
    Open,
    /// Nobody reads it any more.
    Unread,
    /// It takes no more, which was told.
    Failed,
}

static OUTPUT: Mutex<Output> = Mutex::new(Output::Open);

/// Prints a line to standard output.
macro_rules! println {
    () => { $crate::terminal::line("") };
    ($($text:tt)*) => { $crate::terminal::line(&::andon_report::words::plain(&::std::format!($($text)*))) };
}

/// Prints to standard output without ending the line.
macro_rules! print {
    ($($text:tt)*) => { $crate::terminal::text(&::andon_report::words::plain(&::std::format!($($text)*))) };
}

/// Prints a line to standard error.
macro_rules! eprintln {
    () => { $crate::terminal::error(::std::format_args!("")) };
    ($($text:tt)*) => { $crate::terminal::error(::std::format_args!($($text)*)) };
}

/// Prints a line as it is, with whatever control characters are in it.
pub fn line(text: &str) {
    keep(|| std::writeln!(stdout().lock(), "{text}"));
}

/// Prints text as it is.
pub fn text(text: &str) {
    keep(|| stdout().lock().write_all(text.as_bytes()));
}

/// Prints bytes that are for a program or a file, at once.
pub fn bytes(bytes: &[u8]) {
    keep(|| {
        let mut out = stdout().lock();
        out.write_all(bytes)?;
        out.flush()
    });
}

/// Prints a line to standard error. There is nobody to tell if that fails.
pub fn error(text: Arguments) {
    let _ = std::writeln!(stderr().lock(), "{}", plain(&text.to_string()));
}

/// Returns whether what is printed still goes somewhere.
pub fn is_heard() -> bool {
    matches!(*lock(), Output::Open)
}

/// Writes, unless that failed before, and keeps what came of it.
fn keep(write: impl FnOnce() -> io::Result<()>) {
    let mut output = lock();
    if let Output::Open = *output
        && let Err(e) = write()
    {
        *output = match e.kind() {
            ErrorKind::BrokenPipe => Output::Unread,
            _ => {
                error(format_args!("andon: the standard output cannot be written, and nothing more is printed: {e}"));
                Output::Failed
            }
        };
    }
}

fn lock() -> std::sync::MutexGuard<'static, Output> {
    OUTPUT.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Returns the exit code of a command that does nothing but print, and did it by itself.
pub fn shown(printed: io::Result<()>) -> ExitCode {
    keep(|| printed);
    code(ExitCode::SUCCESS)
}

/// Returns the exit code of a command that did what it was to do: a failure if what it printed could not be written.
pub fn code(done: ExitCode) -> ExitCode {
    keep(|| stdout().flush());
    match *lock() {
        Output::Failed if done == ExitCode::SUCCESS => ExitCode::FAILURE,
        _ => done,
    }
}
