// SPDX-License-Identifier: MPL-2.0
//! What a graph gave on one picture, for choosing between readings.

use crate::decode::{Data, Tensor};

/// The outputs of one run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// Width and height of the model's input, pixels.
    pub size: [usize; 2],
    /// The outputs that readings read.
    pub outputs: Vec<Numbers>,
}

/// One output of a run.
#[derive(Clone, Debug)]
pub(crate) struct Numbers {
    /// Its name.
    pub name: String,
    /// Its shape.
    pub shape: Vec<i64>,
    /// Its numbers, whatever the graph's type.
    pub data: Vec<f32>,
}

impl Seen {
    /// Copies the outputs of a run on a picture of that size.
    pub(crate) fn new(size: [usize; 2], tensors: &[Tensor<'_>]) -> Self {
        let numbers = |t: &Tensor<'_>| Numbers { name: t.name.into(), shape: t.shape.to_vec(), data: widened(&t.data) };
        Self { size, outputs: tensors.iter().map(numbers).collect() }
    }

    /// Whether a number is NaN or infinite.
    pub(crate) fn broken(&self) -> bool {
        self.outputs.iter().any(Numbers::broken)
    }

    /// The output of that name.
    pub(super) fn of(&self, name: &str) -> Option<&Numbers> {
        self.outputs.iter().find(|o| o.name == name)
    }
}

fn widened(data: &Data<'_>) -> Vec<f32> {
    match data {
        Data::F32(d) => d.to_vec(),
        Data::F16(d) => d.iter().map(|v| v.to_f32()).collect(),
        Data::F64(d) => d.iter().map(|v| *v as f32).collect(),
        Data::I32(d) => d.iter().map(|v| *v as f32).collect(),
        Data::I64(d) => d.iter().map(|v| *v as f32).collect(),
        Data::U8(d) => d.iter().map(|v| f32::from(*v)).collect(),
        Data::I8(d) => d.iter().map(|v| f32::from(*v)).collect(),
        Data::Bool(d) => d.iter().map(|v| f32::from(u8::from(*v))).collect(),
    }
}

/// The number of cells of the strides (8, 16, 32), (8, 16, 32, 64) and (4, 8, 16, 32) at a size of width and height.
pub(super) fn cells([w, h]: [usize; 2]) -> [i64; 3] {
    let of = |strides: &[usize]| strides.iter().map(|s| (w.div_ceil(*s) * h.div_ceil(*s)) as i64).sum();
    [of(&[8, 16, 32]), of(&[8, 16, 32, 64]), of(&[4, 8, 16, 32])]
}

impl Numbers {
    /// Whether a number is NaN or infinite.
    pub(super) fn broken(&self) -> bool {
        self.data.iter().any(|v| !v.is_finite())
    }

    /// The least and the greatest number; 0 and 0 of none.
    pub(super) fn range(&self) -> [f32; 2] {
        let mut all = self.data.iter().copied();
        let Some(first) = all.next() else { return [0.0, 0.0] };
        all.fold([first, first], |[lo, hi], v| [lo.min(v), hi.max(v)])
    }

    /// Its rows of `numbers` numbers, whichever of the last two axes they lie along; `None` if neither has that length.
    pub(super) fn rows(&self, numbers: usize, turned: bool) -> Option<Vec<Vec<f32>>> {
        let lead: i64 = self.shape.iter().rev().skip(2).product();
        let (a, b) = match self.shape[..] {
            [.., a, b] if lead == 1 => (a as usize, b as usize),
            _ => return None,
        };
        if turned {
            (a == numbers).then(|| (0..b).map(|i| (0..a).map(|r| self.data[r * b + i]).collect()).collect())
        } else {
            (b == numbers).then(|| self.data.chunks_exact(b.max(1)).map(<[f32]>::to_vec).collect())
        }
    }
}
