// SPDX-License-Identifier: MPL-2.0
//! Numbers and pieces out of any bytes. Behind the end everything is 0.

/// Bytes that are read from the front.
pub struct Bytes<'a>(pub &'a [u8]);

impl<'a> Bytes<'a> {
    /// The next byte.
    pub fn byte(&mut self) -> u8 {
        self.0.split_off_first().copied().unwrap_or(0)
    }

    /// A number from 0 to below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        let wide = u16::from_le_bytes([self.byte(), if end > 256 { self.byte() } else { 0 }]);
        usize::from(wide) % end.max(1)
    }

    /// One of several.
    pub fn one<'b, T>(&mut self, of: &'b [T]) -> &'b T {
        &of[self.below(of.len())]
    }

    /// At most so many bytes.
    pub fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        taken
    }

    /// A number of any kind: NaN, infinities and denormals, too.
    pub fn float(&mut self) -> f32 {
        let mut four = [0; 4];
        let taken = self.take(4);
        four[..taken.len()].copy_from_slice(taken);
        f32::from_le_bytes(four)
    }
}
