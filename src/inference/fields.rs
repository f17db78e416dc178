// SPDX-License-Identifier: MPL-2.0
//! Inputs that are not the image: named fields, as numbers in the shape that the graph asks for.

use ort::session::SessionInputValue;

use crate::{
    model::{ElementType, Input},
    result::Fields,
};

/// One input of the graph that a field fills.
pub(super) struct FieldInput {
    /// Which input of the graph.
    pub index: usize,
    /// The field's name.
    pub field: String,
    element: ElementType,
    /// How many numbers.
    count: usize,
    default: Option<serde_json::Value>,
}

impl FieldInput {
    /// For a checked input of a manifest that takes `count` numbers.
    pub fn new(index: usize, field: String, input: &Input, count: usize) -> Result<Self, String> {
        let this = Self { index, field, element: input.element, count, default: input.default.clone() };
        if let Some(default) = &this.default {
            this.numbers(default, |_, _| {}).map_err(|e| format!("its default {e}"))?;
        }
        Ok(this)
    }

    /// Puts the field's value, or its default, into the input; an error says what is missing.
    pub fn fill(&self, fields: &Fields, input: &mut SessionInputValue<'static>) -> Result<(), String> {
        let value = fields.get(&self.field).or(self.default.as_ref());
        let value = value.ok_or_else(|| format!("field '{}' was not told", self.field))?;
        let wrong = |e: String| format!("field '{}' {e}", self.field);
        let SessionInputValue::Owned(tensor) = input else {
            return Err(wrong("has no tensor of its own".into()));
        };
        match self.element {
            ElementType::F32 => {
                let (_, data) = tensor.try_extract_tensor_mut::<f32>().map_err(|e| wrong(e.to_string()))?;
                self.numbers(value, |i, v| data[i] = v as f32)
            }
            ElementType::I64 => {
                let (_, data) = tensor.try_extract_tensor_mut::<i64>().map_err(|e| wrong(e.to_string()))?;
                self.numbers(value, |i, v| data[i] = v as i64)
            }
        }
        .map_err(wrong)
    }

    /// Hands every number of `value` to `put`, by its place.
    fn numbers(&self, value: &serde_json::Value, mut put: impl FnMut(usize, f64)) -> Result<(), String> {
        let (mut n, mut fits) = (0, true);
        each(value, &mut |v| {
            match v {
                Some(v) if n < self.count => put(n, v),
                _ => fits = false,
            }
            n += 1;
        });
        if fits && n == self.count {
            Ok(())
        } else {
            Err(format!("is {value}, must be {} number{}", self.count, if self.count == 1 { "" } else { "s" }))
        }
    }
}

fn each(value: &serde_json::Value, put: &mut impl FnMut(Option<f64>)) {
    match value {
        serde_json::Value::Array(all) => all.iter().for_each(|v| each(v, put)),
        serde_json::Value::Bool(b) => put(Some(f64::from(u8::from(*b)))),
        other => put(other.as_f64()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(count: usize) -> FieldInput {
        FieldInput { index: 1, field: "zones".into(), element: ElementType::F32, count, default: None }
    }

    #[test]
    fn arrays_are_taken_in_order_and_must_have_the_length() {
        let mut got = vec![0.0; 4];
        field(4).numbers(&serde_json::json!([[1, 2.5], [true, -4]]), |i, v| got[i] = v).unwrap();
        assert_eq!(got, [1.0, 2.5, 1.0, -4.0]);
        for wrong in [serde_json::json!([1, 2, 3]), serde_json::json!("fast"), serde_json::json!([1, 2, 3, 4, 5])] {
            let e = field(4).numbers(&wrong, |_, _| {}).unwrap_err();
            assert!(e.contains("must be 4 numbers"), "{e}");
        }
    }
}
