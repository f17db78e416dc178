// SPDX-License-Identifier: MPL-2.0
//! Advice on the errors of ONNX Runtime. Its messages are for its developers, and differ a little from version to version.
//! A message that is not recognised here stays as it is.
//!
//! The kinds are those of the messages in ONNX Runtime 1.18 to 1.22; `tests` has one of each as it comes.

/// What to do about a model that cannot be loaded, by the message of ONNX Runtime.
pub(super) fn on_loading(problem: &str) -> String {
    if let Some((operator, version)) = without_kernel(problem) {
        return format!(
            "the file is whole, but this ONNX Runtime cannot compute {operator} (of opset {version}) with the types of \
             numbers that the graph gives it: export the model with float32 numbers and an opset of 11 or newer, or \
             without {operator}, or install a newer ONNX Runtime"
        );
    }
    if let Some(operator) = unknown_operator(problem) {
        let why = whose(operator);
        return format!("this ONNX Runtime has no operator {operator}{why}");
    }
    let lower = problem.to_lowercase();
    if lower.contains("ir version") || lower.contains("ir_version") {
        return match number_after(problem, "max supported IR version: ") {
            Some(newest) => format!(
                "export it with IR version {newest} or older (in Python: model.ir_version = {newest}, then save it), or \
                 install a newer ONNX Runtime"
            ),
            None => "export it with an older IR version, or install a newer ONNX Runtime".into(),
        };
    }
    if lower.contains("deprecated in domain_version") {
        return "its opset has dropped this operator: export the model again with the opset that its exporter was made \
                for, or a newer exporter"
            .into();
    }
    if lower.contains("opset") {
        return match number_after(problem, "till opset ") {
            Some(newest) => format!("export it with an opset of at most {newest}, or install a newer ONNX Runtime"),
            None if lower.contains("missing opset") || lower.contains("no opset import") => {
                "the file does not say which opset it is of: export it again".into()
            }
            None => "export it with an older opset, or install a newer ONNX Runtime".into(),
        };
    }
    if out_of_memory(problem) {
        return OUT_OF_MEMORY.into();
    }
    if lower.contains("out of bounds") && lower.contains("external") {
        return "the file of its weights is shorter than the graph says: copy that file again, whole".into();
    }
    if ["external", "model_path must not be empty", "filesystem error"].iter().any(|w| lower.contains(w)) {
        let named = between(problem, "[", "]").map_or_else(String::new, |path| {
            let name = path.rsplit('/').next().unwrap_or(path);
            format!(" {name}")
        });
        return format!(
            "its weights are in a file of their own: put that file{named} beside it under the name that it was exported \
             with, or export the model as one file"
        );
    }
    if lower.contains("type error") {
        return "an operator of the graph does not take numbers of this type: export the model with float32 numbers (not \
                bfloat16 or float8, and not quantised in this way)"
            .into();
    }
    if ["shapeinferenceerror", "invalid model", "invalid_graph"].iter().any(|w| lower.contains(w)) {
        return "the file is whole, but the graph in it contradicts itself: export the model again; `python -m \
                onnx.checker` would say the same of it"
            .into();
    }
    "check that the file is a whole ONNX model: copy or download it again".into()
}

/// What to do about a model that loads, but cannot run on a black frame.
pub(super) fn on_running(problem: &str) -> String {
    if problem.to_lowercase().contains("not implemented") {
        return "this ONNX Runtime cannot compute that: export the model with float32 numbers, or install a newer one"
            .into();
    }
    "if the graph leaves its size open, set inputs[0].size in model.json to the size that it was trained with; \
     otherwise export it again"
        .into()
}

/// The message of ONNX Runtime without codes and without the place in its source.
pub(super) fn plain(problem: &str) -> String {
    let mut text = problem.trim().to_string();
    // Codes: `[ONNXRuntimeError] : 1 : FAIL : `.
    while let Some(start) = text.find("[ONNXRuntimeError] : ") {
        let end = text[start..].match_indices(" : ").nth(2).map_or(text.len(), |(at, sign)| start + at + sign.len());
        text.replace_range(start..end, "");
    }
    while let Some(start) = text.find("/onnxruntime_src/") {
        let end = text[start..].find(") ").map_or(text.len(), |end| start + end + 2);
        text.replace_range(start..end, "");
    }
    // What follows goes on in the same sentence.
    text.split_whitespace().collect::<Vec<_>>().join(" ").trim_end_matches('.').to_string()
}

/// What to do if there is not enough memory.
pub(super) const OUT_OF_MEMORY: &str =
    "give the process more memory, or use a smaller model, a smaller batch-size or fewer frames in-flight";

/// Returns whether the message says that memory ran out.
pub(super) fn out_of_memory(problem: &str) -> bool {
    ["bad_alloc", "Failed to allocate", "bad allocation", "out of memory", "CUDA_ERROR_OUT_OF_MEMORY"]
        .iter()
        .any(|w| problem.contains(w))
}

/// The operator and its version in `Could not find an implementation for Conv(11) node with name ''`.
fn without_kernel(problem: &str) -> Option<(&str, &str)> {
    let after = problem.split("Could not find an implementation for ").nth(1)?;
    let (operator, rest) = after.split_once('(')?;
    Some((operator.trim(), rest.split(')').next()?))
}

/// The operator in `DOMAIN:NAME(-1) is not a registered function/op` or `No Op registered for NAME with domain_version of 17`.
fn unknown_operator(problem: &str) -> Option<&str> {
    if let Some(before) = problem.split(" is not a registered").next().filter(|b| b.len() < problem.len()) {
        let word = before.rsplit([' ', '\n']).next()?;
        return Some(word.split('(').next().unwrap_or(word));
    }
    let after = problem.split("No Op registered for ").nth(1)?;
    after.split(' ').next()
}

/// Whose an unknown operator is, and what to do, by its domain.
fn whose(operator: &str) -> &'static str {
    match operator.rsplit_once(':').map_or("", |(domain, _)| domain) {
        "com.microsoft" | "com.microsoft.nchwc" | "com.ms.internal.nhwc" => {
            ", which an optimiser of another version of ONNX Runtime puts in: export the model without it, that is \
             without optimising it beforehand, or install a newer ONNX Runtime"
        }
        "trt.plugins" => {
            ", which only TensorRT has: export the model without it, that is without suppression in the graph, which \
             Andon does by itself"
        }
        "mmdeploy" => {
            ", which is in mmdeploy's own library: export the model without it, with a configuration of mmdeploy for \
             onnxruntime that needs no operators of its own"
        }
        "ai.onnx.contrib" => {
            ", which is in ONNX Runtime Extensions: export the model without it, that is without reading or drawing \
             pictures in the graph"
        }
        "org.pytorch.aten" => {
            ", which PyTorch left in the graph: export the model without it, with a newer PyTorch or another opset, so \
             that all operators are ONNX's"
        }
        "org.openvinotoolkit" => ", which only OpenVINO has: export the model without it, from its original framework",
        _ => ": export the model without it, or set ORT_DYLIB_PATH to a runtime that has it",
    }
}

fn number_after<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let after = text.split(word).nth(1)?;
    let end = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
    (end > 0).then(|| &after[..end])
}

fn between<'a>(text: &'a str, left: &str, right: &str) -> Option<&'a str> {
    let after = text.rsplit_once(left)?.1;
    Some(after.split_once(right)?.0).filter(|t| !t.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_message_leads_to_what_mends_the_model() {
        const OPSET: &str = "ONNX Runtime only *guarantees* support for models stamped with official released onnx opset \
                             versions. Opset 99 is under development and support for this is limited. Current official \
                             support for domain ai.onnx is till opset 22.";
        const SHORT: &str = "External initializer: w offset: 0 size to read: 108 given file_length: 3 are out of bounds \
                             or can not be read in full.";
        for (message, advice) in [
            (
                "Could not find an implementation for ConvInteger(10) node with name ''",
                "cannot compute ConvInteger (of opset 10)",
            ),
            ("Could not find an implementation for Conv(11) node with name ''", "with float32 numbers"),
            (
                "Fatal error: trt.plugins:EfficientNMS_TRT(-1) is not a registered function/op",
                "no operator trt.plugins:EfficientNMS_TRT, which only TensorRT",
            ),
            ("Fatal error: com.microsoft:NoSuch(-1) is not a registered function/op", "without optimising it"),
            ("Fatal error: mmdeploy:NMS(-1) is not a registered function/op", "a configuration of mmdeploy"),
            ("Fatal error: ai.onnx.contrib:X(-1) is not a registered function/op", "ONNX Runtime Extensions"),
            ("Fatal error: org.pytorch.aten:ATen(-1) is not a registered function/op", "newer PyTorch"),
            (
                "Fatal error: my.own:X(-1) is not a registered function/op",
                "no operator my.own:X: export the model without it",
            ),
            ("No Op registered for Frobnicate with domain_version of 17", "no operator Frobnicate:"),
            ("Error Op registered for Upsample is deprecated in domain_version of 17", "has dropped this operator"),
            (OPSET, "opset of at most 22"),
            ("Missing opset in the model. All ModelProtos MUST have at least one entry", "export it again"),
            ("Unsupported model IR version: 99, max supported IR version: 10", "export it with IR version 10 or older"),
            ("bad_alloc", "more memory"),
            (SHORT, "shorter than the graph says"),
            (
                "Exception during initialization: filesystem error: cannot get file size: No such file [a/weights.bin]",
                "that file weights.bin beside it",
            ),
            (
                "Type Error: Type 'tensor(bfloat16)' of input parameter (b) of operator (Conv) in node () is invalid.",
                "with float32 numbers",
            ),
            ("Node () Op (MatMul) [ShapeInferenceError] Incompatible dimensions", "contradicts itself"),
            ("This is an invalid model. Error: the graph is not acyclic.", "contradicts itself"),
            ("Invalid model. Node input 'x' is not a graph input", "contradicts itself"),
            ("Failed to load model because protobuf parsing failed.", "whole ONNX model"),
        ] {
            let said = on_loading(message);
            assert!(said.contains(advice), "{message}: {said}");
            let whole = said.contains("check that the file is a whole");
            assert_eq!(whole, message.contains("protobuf"), "only a broken file is called one: {message}: {said}");
        }
    }

    #[test]
    fn codes_and_the_place_in_the_runtimes_source_are_left_out() {
        for (text, left) in [
            (
                "Status Message: /onnxruntime_src/onnxruntime/core/framework/bfc_arena.cc:376 void* \
                 onnxruntime::BFCArena::AllocateRawInternal(size_t, bool) Failed to allocate 7 bytes ",
                "Status Message: Failed to allocate 7 bytes",
            ),
            (
                "Exception during initialization: /onnxruntime_src/a.cc:48 A::A(const B&) [ONNXRuntimeError] : 1 : FAIL : \
                 t.cc:1 f External initializer: w",
                "Exception during initialization: t.cc:1 f External initializer: w",
            ),
            ("protobuf parsing failed.\n", "protobuf parsing failed"),
        ] {
            assert_eq!(plain(text), left);
        }
    }
}
