// SPDX-License-Identifier: MPL-2.0
//! The model's outputs as decoders read them: by role, and as `f32` whatever type the graph has.

use andon_model::{Output, Role};
use half::f16;

use super::error::DecodeError;

/// The elements of an output, in the type of the graph.
#[derive(Clone, Copy, Debug)]
pub enum Data<'a> {
    /// 32-bit float.
    F32(&'a [f32]),
    /// 16-bit float.
    F16(&'a [f16]),
    /// 64-bit float.
    F64(&'a [f64]),
    /// 32-bit integer.
    I32(&'a [i32]),
    /// 64-bit integer.
    I64(&'a [i64]),
    /// Unsigned 8-bit integer.
    U8(&'a [u8]),
    /// Signed 8-bit integer.
    I8(&'a [i8]),
    /// Flags.
    Bool(&'a [bool]),
}

impl Data<'_> {
    /// Returns whether every element is finite, as integers always are.
    pub(super) fn finite(&self) -> bool {
        // Without an early exit the loops run on several numbers at a time.
        match self {
            Data::F32(d) => d.iter().fold(true, |all, v| all & v.is_finite()),
            Data::F16(d) => d.iter().fold(true, |all, v| all & v.is_finite()),
            Data::F64(d) => d.iter().fold(true, |all, v| all & v.is_finite()),
            _ => true,
        }
    }

    /// Returns whether the elements are integers or flags.
    pub(super) fn is_integer(&self) -> bool {
        !matches!(self, Data::F32(_) | Data::F16(_) | Data::F64(_))
    }

    /// Appends the elements to `out` as `f32`.
    fn widen(&self, out: &mut Vec<f32>) {
        match self {
            Data::F32(d) => out.extend_from_slice(d),
            Data::F16(d) => out.extend(d.iter().map(|v| v.to_f32())),
            Data::F64(d) => out.extend(d.iter().map(|v| *v as f32)),
            Data::I32(d) => out.extend(d.iter().map(|v| *v as f32)),
            Data::I64(d) => out.extend(d.iter().map(|v| *v as f32)),
            Data::U8(d) => out.extend(d.iter().map(|v| f32::from(*v))),
            Data::I8(d) => out.extend(d.iter().map(|v| f32::from(*v))),
            Data::Bool(d) => out.extend(d.iter().map(|v| f32::from(u8::from(*v)))),
        }
    }
}

/// An output of the graph, for one frame.
#[derive(Clone, Copy, Debug)]
pub struct Tensor<'a> {
    /// The output's name.
    pub name: &'a str,
    /// The shape, with the batch axis.
    pub shape: &'a [i64],
    /// The elements.
    pub data: Data<'a>,
}

/// An output as a decoder reads it.
#[derive(Clone, Copy, Debug)]
pub(super) struct View<'a> {
    /// The output's name.
    pub name: &'a str,
    /// The shape, with the batch axis.
    pub shape: &'a [i64],
    /// The elements.
    pub data: &'a [f32],
    /// Whether the graph's own elements are integers.
    pub integer: bool,
}

impl View<'_> {
    /// The error that the output has the wrong shape; `needed` says which shape is needed, and what to correct.
    pub(super) fn misshaped(&self, needed: impl Into<String>) -> DecodeError {
        DecodeError::Shape { output: self.name.into(), shape: self.shape.to_vec(), needed: needed.into() }
    }
}

/// The roles, in the order of [`Views`].
const ROLES: [Role; 7] = [Role::Main, Role::Boxes, Role::Scores, Role::Labels, Role::Count, Role::Masks, Role::Map];

fn place(role: Role) -> usize {
    ROLES.iter().position(|r| *r == role).expect("every role is listed")
}

/// The outputs of one frame by role.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Views<'a>([Option<View<'a>>; ROLES.len()]);

impl<'a> Views<'a> {
    /// The output of that role, if the graph has one.
    pub(super) fn get(&self, role: Role) -> Option<&View<'a>> {
        self.0[place(role)].as_ref()
    }

    /// The output of that role, which the decoder cannot do without.
    pub(super) fn need(&self, role: Role) -> Result<&View<'a>, DecodeError> {
        self.get(role).ok_or_else(|| DecodeError::NoRole(format!("{role:?}").to_lowercase()))
    }
}

/// The roles of the outputs, and room for outputs that are not `f32`.
pub(super) struct Roles {
    names: Vec<(String, Role)>,
    widened: [Vec<f32>; ROLES.len()],
}

impl Roles {
    /// The roles of a manifest's outputs. `also` are names that are read if the graph has them, though the manifest does
    /// not list them.
    pub(super) fn new(outputs: &[Output], also: &[&str]) -> Self {
        let mut names: Vec<_> = outputs.iter().enumerate().map(|(i, o)| (o.name.clone(), o.role(i))).collect();
        for name in also {
            if names.iter().all(|(n, _)| n != name) {
                let output = Output::new(*name, outputs[0].decoder, Vec::new());
                names.push((name.to_string(), output.role(0)));
            }
        }
        Self { names, widened: Default::default() }
    }

    /// Returns whether the output of that name is read.
    pub(super) fn has(&self, name: &str) -> bool {
        self.names.iter().any(|(n, _)| n == name)
    }

    /// Sorts the outputs by role.
    pub(super) fn views<'a>(&'a mut self, outputs: &[Tensor<'a>]) -> Views<'a> {
        let Self { names, widened } = self;
        let mut found = [None; ROLES.len()];
        for tensor in outputs {
            if let Some((_, role)) = names.iter().find(|(name, _)| name == tensor.name) {
                found[place(*role)] = Some(*tensor);
            }
        }
        let mut views = Views::default();
        for ((view, tensor), room) in views.0.iter_mut().zip(found).zip(widened) {
            *view = tensor.map(|Tensor { name, shape, data }| {
                let integer = data.is_integer();
                let data = match data {
                    Data::F32(data) => data,
                    other => {
                        room.clear();
                        other.widen(room);
                        room
                    }
                };
                View { name, shape, data, integer }
            });
        }
        views
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use andon_model::Decoder;

    #[test]
    fn every_type_is_read_as_the_numbers_it_holds() {
        let halves = [f16::from_f32(1.5), f16::from_f32(-2.0)];
        let all = [
            Data::F32(&[1.5, -2.0]),
            Data::F16(&halves),
            Data::F64(&[1.5, -2.0]),
            Data::I32(&[1, -2]),
            Data::I64(&[1, -2]),
            Data::I8(&[1, -2]),
            Data::U8(&[1, 2]),
            Data::Bool(&[true, false]),
        ];
        for data in all {
            let mut roles = Roles::new(&[Output::new("o", Decoder::Raw, vec![])], &[]);
            let views = roles.views(&[Tensor { name: "o", shape: &[1, 2], data }]);
            let view = views.need(Role::Main).unwrap();
            let wanted = match data {
                Data::U8(_) => [1.0, 2.0],
                Data::Bool(_) => [1.0, 0.0],
                _ if view.integer => [1.0, -2.0],
                _ => [1.5, -2.0],
            };
            assert_eq!(view.data, wanted, "{data:?}");
        }
    }

    #[test]
    fn what_is_missing_is_named_by_its_role() {
        let mut roles = Roles::new(&[Output::new("o", Decoder::Yolov8, vec![])], &[]);
        let e = roles.views(&[]).need(Role::Masks).unwrap_err().to_string();
        assert!(e.contains("\"role\": \"masks\""), "{e}");
    }

    #[test]
    fn infinity_is_no_number_in_any_float() {
        assert!(!Data::F16(&[f16::INFINITY]).finite() && !Data::F64(&[f64::NAN]).finite());
        assert!(!Data::F32(&[0.0, f32::NAN]).finite() && Data::I64(&[i64::MAX]).finite());
    }
}
