// SPDX-License-Identifier: MPL-2.0
//! What the program prints: names and texts from files and streams are shown as all that they say, so that none of them
//! moves the cursor, clears the screen or hides what follows. It holds for every `println!` of the program, because nobody
//! remembers it at each.

/// Prints a line to standard output.
macro_rules! println {
    () => { ::std::println!() };
    ($($text:tt)*) => { ::std::println!("{}", ::andon_report::words::plain(&::std::format!($($text)*))) };
}

/// Prints a line to standard error.
macro_rules! eprintln {
    () => { ::std::eprintln!() };
    ($($text:tt)*) => { ::std::eprintln!("{}", ::andon_report::words::plain(&::std::format!($($text)*))) };
}
