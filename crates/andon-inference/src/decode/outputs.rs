// SPDX-License-Identifier: MPL-2.0
//! The model's outputs as decoders read them: by role, and as `f32` whatever type the graph has.

use andon_model::{Decoder, Output, Quantisation, Role};
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
    /// Whether the elements are integers that stand for themselves.
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

/// An output that is read.
struct Known {
    name: String,
    role: Role,
    quantisation: Option<Quantisation>,
}

/// The roles of the outputs, and room for outputs that are not `f32`.
pub(super) struct Roles {
    known: Vec<Known>,
    decoder: Decoder,
    widened: [Vec<f32>; ROLES.len()],
}

impl Roles {
    /// The roles of a manifest's outputs. `also` are names that are read if the graph has them, though the manifest does
    /// not list them.
    pub(super) fn new(outputs: &[Output], also: &[&str]) -> Self {
        let listed = outputs.iter().enumerate();
        let mut known: Vec<_> = listed
            .map(|(i, o)| Known { name: o.name.clone(), role: o.role(i), quantisation: o.quantisation })
            .collect();
        for name in also {
            let output = Output::new(*name, outputs[0].decoder, Vec::new());
            let role = output.role(0);
            // What the manifest lists comes first, under whatever name.
            if known.iter().all(|k| k.name != *name && k.role != role) {
                known.push(Known { name: name.to_string(), role, quantisation: None });
            }
        }
        Self { known, decoder: outputs[0].decoder, widened: Default::default() }
    }

    /// Returns whether the output of that name is read.
    pub(super) fn has(&self, name: &str) -> bool {
        self.known.iter().any(|k| k.name == name)
    }

    /// Sorts the outputs by role.
    ///
    /// # Errors
    /// [`DecodeError::Integers`] and [`DecodeError::NotQuantised`].
    pub(super) fn views<'a>(&'a mut self, outputs: &[Tensor<'a>]) -> Result<Views<'a>, DecodeError> {
        let Self { known, decoder, widened } = self;
        let mut found = [None; ROLES.len()];
        for tensor in outputs {
            if let Some(k) = known.iter().find(|k| k.name == tensor.name) {
                check(*decoder, k, tensor)?;
                found[place(k.role)] = Some((*tensor, k.quantisation));
            }
        }
        let mut views = Views::default();
        for ((view, tensor), room) in views.0.iter_mut().zip(found).zip(widened) {
            *view = tensor.map(|(Tensor { name, shape, data }, quantisation)| {
                let integer = data.is_integer() && quantisation.is_none();
                let data = match data {
                    Data::F32(data) => data,
                    other => {
                        room.clear();
                        other.widen(room);
                        if let Some(Quantisation { scale, zero_point }) = quantisation {
                            // Whole numbers of up to 24 bits are exact.
                            room.iter_mut().for_each(|v| *v = (*v - zero_point as f32) * scale);
                        }
                        room
                    }
                };
                View { name, shape, data, integer }
            });
        }
        Ok(views)
    }
}

/// Checks that an output holds fractions, or integers where these mean what they say: labels, counts, class maps, masks, and
/// boxes in whole pixels.
fn check(decoder: Decoder, k: &Known, tensor: &Tensor<'_>) -> Result<(), DecodeError> {
    match (tensor.data.is_integer(), k.quantisation) {
        (false, Some(_)) => return Err(DecodeError::NotQuantised(tensor.name.into())),
        (false, None) | (true, Some(_)) => return Ok(()),
        (true, None) => {}
    }
    let plain = match (decoder, k.role) {
        (Decoder::Raw | Decoder::Embedding | Decoder::Segmentation, _) | (_, Role::Labels | Role::Count) => true,
        (Decoder::Ssd | Decoder::Anomalib, Role::Masks) => true,
        (_, Role::Boxes) => matches!(tensor.data, Data::I32(_) | Data::I64(_)),
        _ => false,
    };
    let hint = match tensor.data {
        Data::U8(_) => " (for scores in 256ths {\"scale\": 0.00390625, \"zero_point\": 0})",
        Data::I8(_) => " (for scores in 256ths {\"scale\": 0.00390625, \"zero_point\": -128})",
        _ => "",
    };
    if plain { Ok(()) } else { Err(DecodeError::Integers { output: tensor.name.into(), hint }) }
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
            let views = roles.views(&[Tensor { name: "o", shape: &[1, 2], data }]).unwrap();
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
        let e = roles.views(&[]).unwrap().need(Role::Masks).unwrap_err().to_string();
        assert!(e.contains("\"role\": \"masks\""), "{e}");
    }

    #[test]
    fn infinity_is_no_number_in_any_float() {
        assert!(!Data::F16(&[f16::INFINITY]).finite() && !Data::F64(&[f64::NAN]).finite());
        assert!(!Data::F32(&[0.0, f32::NAN]).finite() && Data::I64(&[i64::MAX]).finite());
    }

    #[test]
    fn integers_stand_for_what_the_manifest_says_and_are_no_scores_otherwise() {
        let tensor = |data| [Tensor { name: "o", shape: &[1, 2], data }];
        let mut output = Output::new("o", Decoder::Classification, vec![]);
        for (data, says) in [
            (Data::U8(&[140, 116]), "\"zero_point\": 0"),
            (Data::I8(&[12, -12]), "\"zero_point\": -128"),
            (Data::I64(&[1, 0]), "float outputs"),
            (Data::Bool(&[true, false]), "\"quantisation\""),
        ] {
            let e = Roles::new(&[output.clone()], &[]).views(&tensor(data)).unwrap_err().to_string();
            assert!(e.contains("'o'") && e.contains(says), "{data:?}: {e}");
        }
        output.quantisation = Some(Quantisation { scale: 1.0 / 256.0, zero_point: -128 });
        let mut roles = Roles::new(&[output.clone()], &[]);
        let views = roles.views(&tensor(Data::I8(&[12, -128]))).unwrap();
        assert_eq!(
            (views.need(Role::Main).unwrap().data, views.need(Role::Main).unwrap().integer),
            (&[0.546875, 0.0][..], false)
        );
        let e = Roles::new(&[output], &[]).views(&tensor(Data::F32(&[0.5, 0.5]))).unwrap_err().to_string();
        assert!(e.contains("leave \"quantisation\" out"), "{e}");
        // What is counted is no fraction.
        for (decoder, role, data, fine) in [
            (Decoder::Ssd, Role::Labels, Data::I64(&[1, 0]), true),
            (Decoder::Ssd, Role::Count, Data::I32(&[2, 0]), true),
            (Decoder::Ssd, Role::Boxes, Data::I32(&[2, 0]), true),
            (Decoder::Ssd, Role::Boxes, Data::U8(&[2, 0]), false),
            (Decoder::Ssd, Role::Scores, Data::I32(&[2, 0]), false),
            (Decoder::Ssd, Role::Masks, Data::Bool(&[true, false]), true),
            (Decoder::Yolov8, Role::Masks, Data::I8(&[1, 0]), false),
            (Decoder::Segmentation, Role::Main, Data::U8(&[2, 0]), true),
            (Decoder::Anomalib, Role::Labels, Data::Bool(&[true, false]), true),
            (Decoder::Anomalib, Role::Scores, Data::U8(&[1, 0]), false),
        ] {
            let output = Output { role: Some(role), ..Output::new("o", decoder, vec![]) };
            assert_eq!(Roles::new(&[output], &[]).views(&tensor(data)).is_ok(), fine, "{decoder:?} {role:?} {data:?}");
        }
    }
}
