// SPDX-License-Identifier: MPL-2.0
//! Advice on the errors of ONNX Runtime. Its messages are for its developers, and differ a little from version to version.
//! A message that is not recognised here stays as it is.

/// What to do about a model that cannot be loaded, by the message of ONNX Runtime.
pub(super) fn on_loading(problem: &str) -> String {
    if let Some(operator) = unknown_operator(problem) {
        return format!(
            "this ONNX Runtime has no operator {operator}: export the model without it, or set ORT_DYLIB_PATH to a \
             runtime that has it"
        );
    }
    let lower = problem.to_lowercase();
    if lower.contains("opset") || lower.contains("ir version") || lower.contains("ir_version") {
        let newest =
            number_after(problem, "till opset ").or_else(|| number_after(problem, "max supported IR version: "));
        let newest = match newest {
            Some(n) if lower.contains("till opset") => format!(" of at most {n}"),
            _ => String::new(),
        };
        return format!("export it with an opset{newest}, or install a newer ONNX Runtime");
    }
    if out_of_memory(problem) {
        return OUT_OF_MEMORY.into();
    }
    if ["external", "model_path must not be empty", "filesystem error"].iter().any(|w| lower.contains(w)) {
        return "its weights are in a file of their own: put that file beside it under the name that it was exported with, \
                or export the model as one file"
            .into();
    }
    "check that the file is a whole ONNX model".into()
}

/// The message of ONNX Runtime without the place in its source.
pub(super) fn plain(problem: &str) -> String {
    let Some(place) = problem.find("/onnxruntime_src/") else { return problem.trim().into() };
    let message = problem[place..].find(") ").map_or(problem.len(), |end| place + end + 2);
    format!("{}{}", &problem[..place], problem[message..].trim())
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

/// The operator in `DOMAIN:NAME(-1) is not a registered function/op` or `No Op registered for NAME with domain_version of 17`.
fn unknown_operator(problem: &str) -> Option<&str> {
    if let Some(before) = problem.split(" is not a registered").next().filter(|b| b.len() < problem.len()) {
        let word = before.rsplit([' ', '\n']).next()?;
        return Some(word.split('(').next().unwrap_or(word));
    }
    let after = problem.split("No Op registered for ").nth(1)?;
    after.split(' ').next()
}

fn number_after<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let after = text.split(word).nth(1)?;
    let end = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
    (end > 0).then(|| &after[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_operator_that_is_missing_is_named() {
        let trt = "Fatal error: trt.plugins:EfficientNMS_TRT(-1) is not a registered function/op";
        assert!(on_loading(trt).contains("no operator trt.plugins:EfficientNMS_TRT:"), "{}", on_loading(trt));
        let old = "No Op registered for Frobnicate with domain_version of 17";
        assert!(on_loading(old).contains("no operator Frobnicate:"));
    }

    #[test]
    fn a_model_that_is_too_new_is_told_how_new_it_may_be() {
        let text = "ONNX Runtime only *guarantees* support for models stamped with official released onnx opset versions. \
                    Opset 99 is under development and support for this is limited. Current official support for domain \
                    ai.onnx is till opset 22.";
        assert!(on_loading(text).contains("opset of at most 22"), "{}", on_loading(text));
        assert!(on_loading("Unsupported model IR version: 99, max supported IR version: 10").contains("newer ONNX"));
    }

    #[test]
    fn the_place_in_the_runtimes_source_is_left_out() {
        let text = "Status Message: /onnxruntime_src/onnxruntime/core/framework/bfc_arena.cc:376 void* \
                    onnxruntime::BFCArena::AllocateRawInternal(size_t, bool) Failed to allocate 7 bytes ";
        assert_eq!(plain(text), "Status Message: Failed to allocate 7 bytes");
        assert_eq!(plain("protobuf parsing failed."), "protobuf parsing failed.");
    }

    #[test]
    fn weights_in_a_file_that_is_missing_are_asked_for() {
        let text =
            "Exception during initialization: filesystem error: cannot get file size: No such file [weights.bin]";
        assert!(on_loading(text).contains("file of their own"));
    }

    #[test]
    fn what_is_not_recognised_is_taken_for_a_broken_file() {
        assert!(on_loading("protobuf parsing failed").contains("whole ONNX model"));
    }
}
