// SPDX-License-Identifier: MPL-2.0
//! Why a provider failed, in words that help a user: ONNX Runtime's own messages are for its developers.

/// The reason why a provider failed, in short, and what to do, from the error that ONNX Runtime returned and the one
/// that it logged.
pub(crate) fn reason(error: &str, logged: Option<&str>) -> String {
    let both = format!("{error}\n{}", logged.unwrap_or_default());
    if let Some(library) = missing_library(&both) {
        return format!("{library} is missing: {}", remedy(library));
    }
    if both.contains("no CUDA-capable device") || both.contains("CUDA failure 100") {
        return "there is no CUDA device: see whether nvidia-smi lists one, and whether this process may open /dev/nvidia*"
            .into();
    }
    if both.contains("driver version is insufficient") || both.contains("CUDA failure 35") {
        return "the NVIDIA driver is too old for this build, or there is none: update it, or take a build for its CUDA"
            .into();
    }
    let plain = |text: &str| {
        let line = text.lines().map(str::trim).find(|l| !l.is_empty()).unwrap_or_default();
        let line = without_place(line).trim_end_matches('.');
        let short: String = line.chars().take(300).collect();
        if short.len() < line.len() { format!("{short}…") } else { short }
    };
    let (error, logged) = (plain(error), plain(logged.unwrap_or_default()));
    if logged.is_empty() || error.contains(&logged) { error } else { format!("{error}: {logged}") }
}

/// The message in `/path/file.cc:12 type function(types) [ERROR] message`, the form of ONNX Runtime's exceptions.
fn without_place(line: &str) -> &str {
    let message = || {
        let place = line.find(".cc:").filter(|_| line.contains('/'))?;
        let (mut depth, mut rest) = (0_i32, &line[place..]);
        let end = rest.char_indices().find(|(_, c)| {
            depth += i32::from(*c == '(') - i32::from(*c == ')');
            *c == ')' && depth == 0
        })?;
        rest = &rest[end.0 + 1..];
        if rest.starts_with("::") {
            rest = rest.split_once("> ")?.1;
        }
        rest = rest.trim_start();
        while let Some((_, behind)) = rest.strip_prefix('[').and_then(|tag| tag.split_once(']')) {
            rest = behind.trim_start();
        }
        (!rest.is_empty()).then_some(rest)
    };
    message().unwrap_or(line)
}

/// The library in `…: libcudnn.so.9: cannot open shared object file…`, the message of the system's loader.
fn missing_library(text: &str) -> Option<&str> {
    let before = &text[..text.find(": cannot open shared object file")?];
    before.rsplit([' ', '\n', ':']).next().filter(|name| name.starts_with("lib"))
}

fn remedy(library: &str) -> &'static str {
    let is = |names: &[&str]| names.iter().any(|n| library.starts_with(n));
    if is(&["libcudnn"]) {
        "install cuDNN of that version, or add its folder to LD_LIBRARY_PATH"
    } else if is(&["libcublas", "libcudart", "libcufft", "libcurand", "libnvrtc", "libnvJitLink"]) {
        "install the CUDA libraries of that version, or add their folder to LD_LIBRARY_PATH"
    } else if is(&["libnvinfer", "libnvonnxparser"]) {
        "install TensorRT of that version, or add its folder to LD_LIBRARY_PATH"
    } else if is(&["libonnxruntime_providers"]) {
        "it belongs beside libonnxruntime.so: keep the libraries of the package in one folder"
    } else {
        "install what it belongs to, or add its folder to LD_LIBRARY_PATH"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_library_is_named_with_what_to_install() {
        let logged = "/x/provider_bridge.cc:2195 TryGetProviderInfo_CUDA Failed to load library \
                    libonnxruntime_providers_cuda.so with error: libcudnn.so.9: cannot open shared object file: No such \
                    file or directory";
        let text = reason("Failed to load shared library", Some(logged));
        assert_eq!(
            text,
            "libcudnn.so.9 is missing: install cuDNN of that version, or add its folder to LD_LIBRARY_PATH"
        );
        let text = reason("libnvinfer.so.10: cannot open shared object file: No such file or directory", None);
        assert!(text.starts_with("libnvinfer.so.10 is missing: install TensorRT"), "{text}");
    }

    #[test]
    fn a_missing_device_or_driver_is_said_in_words() {
        let none = "CUDA failure 100: no CUDA-capable device is detected ; GPU=-1 ; hostname=x ; file=y.cc";
        assert!(reason(none, None).starts_with("there is no CUDA device"));
        let old = "CUDA failure 35: CUDA driver version is insufficient for CUDA runtime version";
        assert!(reason(old, None).starts_with("the NVIDIA driver is too old"));
    }

    #[test]
    fn where_in_its_source_the_runtime_failed_is_left_out() {
        for (text, message) in [
            ("Failed: /a/b.cc:185 std::string f(std::shared_ptr<X>, const Y&) [ERROR] [OpenVINO] Wrong.", "Wrong"),
            ("Failed: /a/b.cc:207 f(const A&, B*)::<lambda()> Invalid key: x", "Invalid key: x"),
            (
                "/a/b.cc:123 bool f(E, const char*) [with E = cudaError; bool T = true] No kernel (sm_90)",
                "No kernel (sm_90)",
            ),
            ("/a/b.cc:1 f(", "/a/b.cc:1 f("),
            ("no place (at all)", "no place (at all)"),
        ] {
            assert_eq!(reason(text, None), message);
        }
    }

    #[test]
    fn any_other_reason_is_one_line_of_bounded_length() {
        assert_eq!(reason("\n first \n second", None), "first");
        assert_eq!(reason("refused", Some("because")), "refused: because");
        assert_eq!(reason("refused because", Some("because")), "refused because");
        assert_eq!(reason(&"x".repeat(5_000), None).chars().count(), 301);
    }
}
