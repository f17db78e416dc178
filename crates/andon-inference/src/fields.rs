// SPDX-License-Identifier: MPL-2.0
//! Inputs that are fields: named values as numbers in the shape and type of the graph's input.

use andon_core::{result::Fields, text::shortened};
use andon_model::Input;
use half::f16;
use serde_json::Value;

use crate::memory::{Kind, Memory};

/// Why a field does not fill its input.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub(super) enum FieldError {
    /// The field has no value and no default.
    #[error("field '{0}' has no value: set it in the property fields, or send it in an andon/fields event")]
    Absent(String),
    /// The field's value does not fit.
    #[error("field '{field}' {unfit}")]
    Unfit { field: String, unfit: Unfit },
    /// The default of the manifest does not fit.
    #[error("its default {0}")]
    Default(Unfit),
}

/// A value that an input cannot hold.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("is {value}, must be {count} number{}{limits}", plural(.count))]
pub(super) struct Unfit {
    /// The value, or how much it is.
    value: String,
    count: usize,
    /// The limits of the type, for the message.
    limits: &'static str,
}

fn plural(count: &usize) -> &'static str {
    if *count == 1 { "" } else { "s" }
}

/// An input of the graph that a field fills.
pub(super) struct FieldInput {
    /// The field's name.
    field: String,
    kind: Kind,
    /// How many numbers the input takes.
    count: usize,
    default: Option<Value>,
}

impl FieldInput {
    /// The input for a checked input of a manifest that takes `count` numbers.
    pub(super) fn new(field: String, input: &Input, kind: Kind, count: usize) -> Result<Self, FieldError> {
        let this = Self { field, kind, count, default: input.default.clone() };
        if let Some(default) = &this.default {
            this.numbers(default, |_, _| {}).map_err(FieldError::Default)?;
        }
        Ok(this)
    }

    /// Checks that the field's value, or its default, is there and fits.
    pub(super) fn check(&self, fields: &Fields) -> Result<(), FieldError> {
        self.each(fields, |_, _| {})
    }

    /// Writes the field's value, or its default, into a frame's numbers.
    ///
    /// # Safety
    /// Meanwhile no other thread reads or writes that frame's numbers.
    pub(super) unsafe fn fill(&self, fields: &Fields, frame: usize, memory: &Memory) -> Result<(), FieldError> {
        macro_rules! fill {
            ($t:ty, $make:expr) => {{
                // SAFETY: the caller promises it.
                let data = unsafe { memory.frame_mut::<$t>(frame) };
                self.each(fields, |i, v| data[i] = $make(v))
            }};
        }
        match self.kind {
            Kind::F32 => fill!(f32, |v| v as f32),
            Kind::F16 => fill!(f16, f16::from_f64),
            Kind::F64 => fill!(f64, |v| v),
            Kind::I64 => fill!(i64, |v| v as i64),
            Kind::I32 => fill!(i32, |v| v as i32),
            Kind::U8 => fill!(u8, |v| v as u8),
            Kind::I8 => fill!(i8, |v| v as i8),
            Kind::Bool => {
                // SAFETY: the caller promises it.
                let data = unsafe { memory.flags_mut(frame) };
                self.each(fields, |i, v| data[i] = v != 0.0)
            }
        }
    }

    fn each(&self, fields: &Fields, put: impl FnMut(usize, f64)) -> Result<(), FieldError> {
        let value = fields.get(&self.field).or(self.default.as_ref());
        let value = value.ok_or_else(|| FieldError::Absent(self.field.clone()))?;
        self.numbers(value, put).map_err(|unfit| FieldError::Unfit { field: self.field.clone(), unfit })
    }

    /// Passes every number of `value` to `put`, with its place.
    fn numbers(&self, value: &Value, mut put: impl FnMut(usize, f64)) -> Result<(), Unfit> {
        let (mut n, mut fits) = (0, true);
        each(value, &mut |v| {
            match v {
                Some(v) if n < self.count && self.holds(v) => put(n, v),
                _ => fits = false,
            }
            n += 1;
        });
        if fits && n == self.count {
            Ok(())
        } else {
            Err(Unfit { value: told(value, n), count: self.count, limits: self.limits() })
        }
    }

    /// The least and the greatest whole number, or `None` if fractions are fine.
    fn range(&self) -> Option<(f64, f64)> {
        match self.kind {
            Kind::F32 | Kind::F16 | Kind::F64 => None,
            Kind::I64 => Some((i64::MIN as f64, i64::MAX as f64)),
            Kind::I32 => Some((i32::MIN.into(), i32::MAX.into())),
            Kind::U8 => Some((0.0, 255.0)),
            Kind::I8 => Some((-128.0, 127.0)),
            Kind::Bool => Some((0.0, 1.0)),
        }
    }

    fn holds(&self, v: f64) -> bool {
        self.range().is_none_or(|(lo, hi)| v.fract() == 0.0 && (lo..=hi).contains(&v))
    }

    fn limits(&self) -> &'static str {
        match self.kind {
            Kind::F32 | Kind::F16 | Kind::F64 => "",
            Kind::I64 | Kind::I32 => " without a fraction",
            Kind::U8 => " within 0..255, without a fraction",
            Kind::I8 => " within -128..127, without a fraction",
            Kind::Bool => ", 0 or 1",
        }
    }
}

/// Returns a value as an error has it, which may come with every frame: a long one only by its length.
fn told(value: &Value, n: usize) -> String {
    const FEW: usize = 16;
    if n > FEW { format!("{n} values") } else { shortened(&value.to_string(), 200).into() }
}

fn each(value: &Value, put: &mut impl FnMut(Option<f64>)) {
    match value {
        Value::Array(all) => all.iter().for_each(|v| each(v, put)),
        Value::Bool(b) => put(Some(f64::from(u8::from(*b)))),
        other => put(other.as_f64()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(kind: Kind, count: usize) -> FieldInput {
        FieldInput { field: "zones".into(), kind, count, default: None }
    }

    #[test]
    fn arrays_are_taken_in_order_and_must_have_the_length() {
        let mut got = vec![0.0; 4];
        let of = |count| field(Kind::F32, count);
        of(4).numbers(&serde_json::json!([[1, 2.5], [true, -4]]), |i, v| got[i] = v).unwrap();
        assert_eq!(got, [1.0, 2.5, 1.0, -4.0]);
        for wrong in [serde_json::json!([1, 2, 3]), serde_json::json!("fast"), serde_json::json!([1, 2, 3, 4, 5])] {
            let e = of(4).numbers(&wrong, |_, _| {}).unwrap_err().to_string();
            assert!(e.contains("must be 4 numbers"), "{e}");
        }
        let e = of(4).numbers(&serde_json::json!(vec![1; 60_000]), |_, _| {}).unwrap_err().to_string();
        assert_eq!(e, "is 60000 values, must be 4 numbers", "it may come with every frame");
    }

    #[test]
    fn a_number_that_the_type_cannot_hold_is_refused_and_not_bent() {
        for (kind, good, bad) in [
            (Kind::U8, serde_json::json!(255), serde_json::json!(256)),
            (Kind::I8, serde_json::json!(-128), serde_json::json!(-129)),
            (Kind::I32, serde_json::json!(7), serde_json::json!(3e9)),
            (Kind::I64, serde_json::json!(7), serde_json::json!(7.5)),
            (Kind::Bool, serde_json::json!(true), serde_json::json!(2)),
        ] {
            assert_eq!(field(kind, 1).numbers(&good, |_, _| {}), Ok(()));
            assert!(field(kind, 1).numbers(&bad, |_, _| {}).is_err(), "{kind:?} took {bad}");
        }
    }

    #[test]
    fn fields_arrive_in_the_graphs_type() {
        let fields = Fields::from_iter([("zones".to_string(), serde_json::json!([1, 0]))]);
        let memory = Memory::new(Kind::F16, 2, 1);
        // SAFETY: no other thread has the memory.
        unsafe { field(Kind::F16, 2).fill(&fields, 0, &memory).unwrap() };
        assert_eq!(memory.frame::<f16>(0), [f16::ONE, f16::ZERO]);
        let memory = Memory::new(Kind::Bool, 2, 1);
        // SAFETY: no other thread has the memory.
        unsafe { field(Kind::Bool, 2).fill(&fields, 0, &memory).unwrap() };
        assert_eq!(memory.flags(0), Some(&[true, false][..]));
    }
}
