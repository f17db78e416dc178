// SPDX-License-Identifier: MPL-2.0
//! The model's outputs as decoders read them: by role, as `f32`, whatever the graph answers in.

use andon_model::{Output, Role};
use half::f16;

/// Elements of an output, as the graph gives them.
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
    /// 8-bit integer without a sign.
    U8(&'a [u8]),
    /// 8-bit integer.
    I8(&'a [i8]),
    /// Yes or no.
    Bool(&'a [bool]),
}

impl Data<'_> {
    /// Whether every element is a number; integers always are.
    pub fn finite(&self) -> bool {
        // Without an early end the loops run several numbers at a time.
        match self {
            Data::F32(d) => d.iter().fold(true, |all, v| all & v.is_finite()),
            Data::F16(d) => d.iter().fold(true, |all, v| all & v.is_finite()),
            Data::F64(d) => d.iter().fold(true, |all, v| all & v.is_finite()),
            _ => true,
        }
    }

    /// Whether elements are indices and not measures.
    pub fn is_integer(&self) -> bool {
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

/// An output of the graph: name, shape (batch axis included, of one frame) and elements.
#[derive(Clone, Copy, Debug)]
pub struct Tensor<'a> {
    /// Its name in the graph.
    pub name: &'a str,
    /// Its axes.
    pub shape: &'a [i64],
    /// Its elements.
    pub data: Data<'a>,
}

/// An output as a decoder reads it.
#[derive(Clone, Copy, Debug)]
pub(super) struct View<'a> {
    pub name: &'a str,
    pub shape: &'a [i64],
    pub data: &'a [f32],
    /// The graph's own elements are integers.
    pub integer: bool,
}

/// Roles, in the order of [`Views`].
const ROLES: [Role; 7] = [Role::Main, Role::Boxes, Role::Scores, Role::Labels, Role::Count, Role::Masks, Role::Map];

fn place(role: Role) -> usize {
    ROLES.iter().position(|r| *r == role).expect("every role is listed")
}

/// The outputs of one frame by role.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Views<'a>([Option<View<'a>>; ROLES.len()]);

impl<'a> Views<'a> {
    /// The output of that role, where the graph has it.
    pub fn get(&self, role: Role) -> Option<&View<'a>> {
        self.0[place(role)].as_ref()
    }

    /// The output of that role, or what is missing.
    pub fn need(&self, role: Role) -> Result<&View<'a>, String> {
        self.get(role).ok_or_else(|| {
            let role = format!("{role:?}").to_lowercase();
            format!(
                "the graph has no output for the {role}: name it in outputs of model.json, with \"role\": \"{role}\""
            )
        })
    }
}

/// Which output has which role, and room for those that are not `f32`.
pub(super) struct Roles {
    names: Vec<(String, Role)>,
    widened: [Vec<f32>; ROLES.len()],
}

impl Roles {
    /// `also` are names that are read where the graph has them, though the manifest does not list them.
    pub fn new(outputs: &[Output], also: &[&str]) -> Self {
        let mut names: Vec<_> = outputs.iter().enumerate().map(|(i, o)| (o.name.clone(), o.role(i))).collect();
        for name in also {
            if names.iter().all(|(n, _)| n != name) {
                let output = Output::new(*name, outputs[0].decoder, Vec::new());
                names.push((name.to_string(), output.role(0)));
            }
        }
        Self { names, widened: Default::default() }
    }

    /// Whether an output of that name is read.
    pub fn has(&self, name: &str) -> bool {
        self.names.iter().any(|(n, _)| n == name)
    }

    /// The outputs by role.
    pub fn views<'a>(&'a mut self, outputs: &[Tensor<'a>]) -> Views<'a> {
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
        let e = roles.views(&[]).need(Role::Masks).unwrap_err();
        assert!(e.contains("\"role\": \"masks\""), "{e}");
    }

    #[test]
    fn infinity_is_no_number_in_any_float() {
        assert!(!Data::F16(&[f16::INFINITY]).finite() && !Data::F64(&[f64::NAN]).finite());
        assert!(!Data::F32(&[0.0, f32::NAN]).finite() && Data::I64(&[i64::MAX]).finite());
    }
}
