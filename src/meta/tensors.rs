// SPDX-License-Identifier: MPL-2.0
//! Mirrors the outputs of `raw` decoders as `GstTensorMeta`, for the tensor decoders of GStreamer 1.26 and newer.

use andon_core::result::RawTensor;
use gst_analytics::{Tensor, TensorDataType, TensorDimOrder, TensorMeta};

/// Adds one `GstTensorMeta` with all `tensors` in their order. The id of each is its name in the graph. The bytes are
/// shared, not copied.
pub(super) fn mirror(buffer: &mut gst::BufferRef, tensors: &[RawTensor]) {
    let all: Vec<_> = tensors.iter().filter_map(tensor).collect();
    if !all.is_empty() {
        TensorMeta::add(buffer).set(all.into());
    }
}

/// Makes a tensor, or returns `None` for a type or shape that the meta does not have.
fn tensor(t: &RawTensor) -> Option<Tensor> {
    let kind = match &*t.element {
        "f32" => TensorDataType::Float32,
        "f16" => TensorDataType::Float16,
        "f64" => TensorDataType::Float64,
        "i64" => TensorDataType::Int64,
        "i32" => TensorDataType::Int32,
        "i8" => TensorDataType::Int8,
        // Before 1.28 there is no type for booleans, which are bytes here.
        "u8" | "bool" => TensorDataType::Uint8,
        _ => return None,
    };
    let dims: Option<Vec<usize>> = t.shape.iter().map(|d| usize::try_from(*d).ok()).collect();
    let data = gst::Buffer::from_slice(t.bytes.clone());
    Some(Tensor::new_simple(glib::Quark::from_str(&t.name), kind, data, TensorDimOrder::RowMajor, &dims?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_are_found_by_their_names_with_type_shape_and_bytes() {
        gst::init().unwrap();
        let raw = |name: &str, element: &str, shape: &[i64], bytes: &[u8]| RawTensor {
            name: name.into(),
            shape: shape.into(),
            element: element.into(),
            bytes: bytes.into(),
        };
        let numbers: Vec<_> = [1.5f32, -2.0].iter().flat_map(|v| v.to_ne_bytes()).collect();
        let tensors = [raw("scores", "f32", &[1, 2], &numbers), raw("found", "bool", &[1], &[1])];
        let mut buffer = gst::Buffer::new();
        mirror(buffer.get_mut().unwrap(), &tensors);
        let meta = buffer.meta::<TensorMeta>().unwrap();
        assert_eq!(meta.as_slice().len(), 2);
        let at = meta.index_from_id(glib::Quark::from_str("scores"));
        let scores = &meta.as_slice()[usize::try_from(at).unwrap()];
        assert_eq!((scores.data_type(), scores.dims()), (TensorDataType::Float32, &[1, 2][..]));
        assert_eq!(scores.data().map_readable().unwrap().as_slice(), numbers);
        assert_eq!(meta.as_slice()[1].data_type(), TensorDataType::Uint8);
    }

    #[test]
    fn without_outputs_there_is_no_meta() {
        gst::init().unwrap();
        let mut buffer = gst::Buffer::new();
        mirror(buffer.get_mut().unwrap(), &[]);
        assert!(buffer.meta::<TensorMeta>().is_none());
    }
}
