// SPDX-License-Identifier: MPL-2.0
//! Execution providers: what `execution-providers` says, what the runtime library has, and why one was not taken.

use std::{fmt, path::Path};

use ort::{
    ep::{self, ArbitrarilyConfigurableExecutionProvider, ExecutionProvider},
    session::builder::SessionBuilder,
};

use crate::{Error, runtime};

/// What runs a model, as ONNX Runtime has it. Which of them there are depends on how the library was built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Provider {
    /// The processor, by ONNX Runtime's own kernels. In every build.
    Cpu,
    /// NVIDIA GPUs, by cuDNN and cuBLAS.
    Cuda,
    /// NVIDIA GPUs, by an engine that is built for the model and the GPU when it is loaded: minutes, unless cached.
    TensorRt,
    /// Intel CPUs, GPUs and NPUs.
    OpenVino,
    /// Intel and Arm CPUs, by oneDNN.
    Dnnl,
    /// CPUs of phones and boards.
    Xnnpack,
    /// Apple's GPUs and neural engines.
    CoreMl,
    /// AMD GPUs.
    Rocm,
}

impl Provider {
    /// All that this version can ask for.
    pub const ALL: [Self; 8] =
        [Self::Cpu, Self::Cuda, Self::TensorRt, Self::OpenVino, Self::Dnnl, Self::Xnnpack, Self::CoreMl, Self::Rocm];

    /// What `auto` tries, best first. TensorRT is not among them: a swap that takes minutes has to be asked for.
    const AUTO: [Self; 5] = [Self::Cuda, Self::Rocm, Self::CoreMl, Self::OpenVino, Self::Cpu];

    /// Its name in `execution-providers` and in `provider`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Cuda => "cuda",
            Self::TensorRt => "tensorrt",
            Self::OpenVino => "openvino",
            Self::Dnnl => "dnnl",
            Self::Xnnpack => "xnnpack",
            Self::CoreMl => "coreml",
            Self::Rocm => "rocm",
        }
    }

    /// By that name or by ONNX Runtime's own (`CUDAExecutionProvider`), in any case.
    fn named(name: &str) -> Option<Self> {
        let short = name.to_ascii_lowercase();
        let short = short.strip_suffix("executionprovider").unwrap_or(&short);
        Self::ALL.into_iter().find(|p| p.name() == short)
    }

    /// Whether the runtime library was built with it. Loads the library.
    pub fn offered(self) -> Result<bool, Error> {
        runtime::environment()?;
        match self {
            Self::Cpu => ep::CPU::is_available(),
            Self::Cuda => ep::CUDA::is_available(),
            Self::TensorRt => ep::TensorRT::is_available(),
            Self::OpenVino => ep::OpenVINO::is_available(),
            Self::Dnnl => ep::OneDNN::is_available(),
            Self::Xnnpack => ep::XNNPACK::is_available(),
            Self::CoreMl => ep::CoreML::is_available(),
            Self::Rocm => ep::ROCm::is_available(),
        }
        .map_err(|e| Error::Runtime(e.to_string()))
    }

    /// Where a library that has it comes from.
    pub fn source(self) -> &'static str {
        match self {
            Self::Cpu => "every build has it",
            Self::Cuda | Self::TensorRt => "the wheel onnxruntime-gpu has it",
            Self::OpenVino => "the wheel onnxruntime-openvino has it",
            Self::CoreMl => "the builds for macOS have it",
            Self::Rocm => "the wheel onnxruntime-rocm has it",
            Self::Dnnl | Self::Xnnpack => "build ONNX Runtime with it",
        }
    }

    /// Asks for it on a session to be; an error is what the runtime says.
    fn add(self, to: &mut SessionBuilder, options: &[(String, String)]) -> Result<(), String> {
        fn with<E: ArbitrarilyConfigurableExecutionProvider + ExecutionProvider>(
            provider: E,
            options: &[(String, String)],
            to: &mut SessionBuilder,
        ) -> Result<(), String> {
            let all = options.iter().fold(provider, |p, (key, value)| p.with_arbitrary_config(key, value));
            all.register(to).map_err(|e| e.to_string())
        }
        match self {
            Self::Cpu => match options {
                [] => Ok(()),
                [(key, value)] if key == "use_arena" && ["0", "1"].contains(&value.as_str()) => {
                    ep::CPU::default().with_arena_allocator(value == "1").register(to).map_err(|e| e.to_string())
                }
                _ => Err("its only option is use_arena=0 or use_arena=1".into()),
            },
            Self::Cuda => with(ep::CUDA::default(), options, to),
            Self::TensorRt => with(ep::TensorRT::default(), options, to),
            Self::OpenVino => with(ep::OpenVINO::default(), options, to),
            Self::Dnnl => with(ep::OneDNN::default(), options, to),
            Self::Xnnpack => with(ep::XNNPACK::default(), options, to),
            Self::CoreMl => with(ep::CoreML::default(), options, to),
            Self::Rocm => with(ep::ROCm::default(), options, to),
        }
    }
}

/// A provider that was asked for, with its options.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// Which.
    pub provider: Provider,
    /// Key and value as ONNX Runtime documents them for it.
    pub options: Vec<(String, String)>,
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.provider.name())?;
        let options: Vec<_> = self.options.iter().map(|(k, v)| format!("{k}={v}")).collect();
        if options.is_empty() { Ok(()) } else { write!(f, "({})", options.join(";")) }
    }
}

impl Wanted {
    /// Asks for it on a session to be; an error says why it cannot be had, and what to do.
    ///
    /// `threads`: how many a provider with a pool of its own shall use; 0 for what it thinks best.
    pub fn add(&self, to: &mut SessionBuilder, threads: usize) -> Result<(), String> {
        if !self.provider.offered().map_err(|e| e.to_string())? {
            let library = runtime::library().map_or_else(String::new, |p| format!(" ({})", p.display()));
            let source = self.provider.source();
            return Err(format!(
                "is not in this ONNX Runtime{library}: {source}; set ORT_DYLIB_PATH to such a library"
            ));
        }
        let mut options = self.options.clone();
        self.known_device()?;
        if threads > 0 && self.provider == Provider::OpenVino && options.iter().all(|(k, _)| k != "num_of_threads") {
            options.push(("num_of_threads".into(), threads.to_string()));
        }
        runtime::said();
        self.provider.add(to, &options).map_err(|e| reason(&e, runtime::said().as_deref()))
    }

    /// OpenVINO takes a device that it has never heard of, and then runs nothing on it (seen with 1.23 and 1.24).
    fn known_device(&self) -> Result<(), String> {
        const KNOWN: [&str; 6] = ["CPU", "GPU", "NPU", "AUTO", "HETERO", "MULTI"];
        let unknown = |(key, value): &&(String, String)| {
            key == "device_type" && !KNOWN.iter().any(|k| value.to_ascii_uppercase().starts_with(k))
        };
        match self.options.iter().find(unknown).filter(|_| self.provider == Provider::OpenVino) {
            Some((_, device)) => Err(format!("device_type={device} is none of {}", KNOWN.join(", "))),
            None => Ok(()),
        }
    }
}

/// The providers that a text asks for, in order: names with their options in parentheses, as in
/// `tensorrt,openvino(device_type=GPU;num_streams=2),cpu`, or `auto` for the best of what the runtime library has.
///
/// Options are separated by `;` or `,`; what follows a `,` and has no `=` belongs to the value before it, so that
/// `openvino(device_type=AUTO:GPU,CPU)` reads as it looks. Loads the runtime library.
pub(crate) fn wanted(text: &str) -> Result<Vec<Wanted>, Error> {
    let offered = |p: Provider| p.offered().unwrap_or(false) && (p != Provider::Cuda || may_have_cuda());
    let all = parse(text, offered).map_err(|problem| {
        let known: Vec<_> = Provider::ALL.iter().map(|p| p.name()).collect();
        let here: Vec<_> =
            Provider::ALL.into_iter().filter(|p| p.offered().unwrap_or(false)).map(Provider::name).collect();
        Error::Providers { problem, known: known.join(", "), here: here.join(", ") }
    })?;
    Ok(all)
}

/// What a text asks for, one after the other, each as a text of its own that asks for it alone; `auto` becomes what the
/// runtime library has. Loads the library.
pub fn asked_for(text: &str) -> Result<Vec<String>, Error> {
    runtime::environment()?;
    Ok(wanted(text)?.iter().map(Wanted::to_string).collect())
}

/// See [`wanted`]; `good` says what `auto` may take.
fn parse(text: &str, good: impl Fn(Provider) -> bool) -> Result<Vec<Wanted>, String> {
    let mut all: Vec<Wanted> = Vec::new();
    for item in split(text, &[','])? {
        let (name, options) = match item.split_once('(') {
            None => (item, Vec::new()),
            Some((name, rest)) => {
                let inner = rest.strip_suffix(')').ok_or_else(|| format!("'{item}' goes on after its ')'"))?;
                (name.trim(), options(item, inner)?)
            }
        };
        if name.eq_ignore_ascii_case("auto") {
            if !options.is_empty() {
                return Err("'auto' takes no options: name the provider that they are for".into());
            }
            for provider in Provider::AUTO {
                if good(provider) && all.iter().all(|w| w.provider != provider) {
                    all.push(Wanted { provider, options: Vec::new() });
                }
            }
            continue;
        }
        let provider = Provider::named(name).ok_or_else(|| format!("'{name}' is not known"))?;
        all.push(Wanted { provider, options });
    }
    if all.is_empty() { Err("none is named".into()) } else { Ok(all) }
}

/// The options between the parentheses of `item`.
fn options(item: &str, inner: &str) -> Result<Vec<(String, String)>, String> {
    let mut options: Vec<(String, String)> = Vec::new();
    for group in split(inner, &[';'])? {
        for (i, piece) in split(group, &[','])?.into_iter().enumerate() {
            match (piece.split_once('='), options.last_mut()) {
                (Some((key, value)), _) if !key.trim().is_empty() => {
                    options.push((key.trim().to_string(), value.trim().to_string()));
                }
                (None, Some((_, value))) if i > 0 => {
                    value.push(',');
                    value.push_str(piece);
                }
                _ => return Err(format!("'{piece}' in '{item}' must be KEY=VALUE")),
            }
        }
    }
    Ok(options)
}

/// Pieces between separators that stand outside parentheses, trimmed; empty ones are left out.
fn split<'a>(text: &'a str, separators: &[char]) -> Result<Vec<&'a str>, String> {
    let (mut depth, mut start, mut pieces) = (0_u32, 0, Vec::new());
    for (i, c) in text.char_indices() {
        match c {
            '\0' => return Err("there is a NUL in it".into()),
            '(' => depth += 1,
            ')' => depth = depth.checked_sub(1).ok_or_else(|| format!("')' without '(' in '{text}'"))?,
            c if depth == 0 && separators.contains(&c) => {
                pieces.push(&text[start..i]);
                start = i + c.len_utf8();
            }
            _ => {}
        }
    }
    if depth > 0 {
        return Err(format!("'(' without ')' in '{text}'"));
    }
    pieces.push(&text[start..]);
    Ok(pieces.into_iter().map(str::trim).filter(|p| !p.is_empty()).collect())
}

/// Whether there may be an NVIDIA GPU: device files of the driver, of WSL and of Jetsons. `auto` does not try CUDA
/// without, so that it need not report what nobody expected.
fn may_have_cuda() -> bool {
    ["/dev/nvidiactl", "/dev/dxg", "/dev/nvhost-gpu", "/dev/nvgpu", "/dev/nvmap"].iter().any(|p| Path::new(p).exists())
}

/// Why a provider could not be had, short, and what to do: from what the runtime returned and what it logged.
pub(crate) fn reason(error: &str, said: Option<&str>) -> String {
    let both = format!("{error}\n{}", said.unwrap_or_default());
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
    let (error, said) = (plain(error), plain(said.unwrap_or_default()));
    if said.is_empty() || error.contains(&said) { error } else { format!("{error}: {said}") }
}

/// The message of `/path/file.cc:12 type function(types) [ERROR] message`, which is what ONNX Runtime's exceptions say.
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

/// The library that the loader did not find, of `…: libcudnn.so.9: cannot open shared object file…`.
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
    fn a_device_that_openvino_does_not_know_is_refused_before_it_is_asked() {
        let asked = |text: &str| parse(text, |_| true).unwrap()[0].known_device();
        assert_eq!(
            asked("openvino(device_type=NOPE)").unwrap_err(),
            "device_type=NOPE is none of CPU, GPU, NPU, AUTO, HETERO, MULTI"
        );
        for known in
            ["openvino", "openvino(device_type=GPU.1)", "openvino(device_type=AUTO:GPU,CPU)", "cuda(device_id=0)"]
        {
            assert_eq!(asked(known), Ok(()), "{known}");
        }
    }

    fn read(text: &str) -> Result<Vec<String>, String> {
        let good = |p| [Provider::OpenVino, Provider::Cpu].contains(&p);
        Ok(parse(text, good)?.iter().map(Wanted::to_string).collect())
    }

    fn names(text: &str) -> Vec<String> {
        read(text).unwrap()
    }

    #[test]
    fn providers_are_read_in_order_with_the_options_of_each() {
        assert_eq!(
            names("tensorrt, CUDA ,openvino(device_type=GPU),cpu"),
            ["tensorrt", "cuda", "openvino(device_type=GPU)", "cpu"]
        );
        assert_eq!(
            names("CUDAExecutionProvider(device_id = 1 ; gpu_mem_limit=2147483648)"),
            ["cuda(device_id=1;gpu_mem_limit=2147483648)"]
        );
        assert_eq!(names("openvino(device_type=GPU),openvino"), ["openvino(device_type=GPU)", "openvino"]);
    }

    #[test]
    fn options_are_parted_by_commas_or_semicolons_and_values_may_have_commas() {
        assert_eq!(
            names("openvino(device_type=AUTO:GPU,CPU,num_streams=2),cpu"),
            ["openvino(device_type=AUTO:GPU,CPU;num_streams=2)", "cpu"]
        );
        assert_eq!(
            names("tensorrt(trt_profile_min_shapes=a:1x3,b:1x1;trt_fp16_enable=1)"),
            ["tensorrt(trt_profile_min_shapes=a:1x3,b:1x1;trt_fp16_enable=1)"]
        );
        assert_eq!(names("cuda(a=f(x,y);b=)"), ["cuda(a=f(x,y);b=)"], "parentheses nest, and a value may be empty");
    }

    #[test]
    fn auto_stands_for_what_the_library_has_best_first() {
        assert_eq!(names("auto"), ["openvino", "cpu"]);
        assert_eq!(names("tensorrt,Auto"), ["tensorrt", "openvino", "cpu"]);
        assert_eq!(names("cpu,auto"), ["cpu", "openvino"], "what was named keeps its place");
    }

    #[test]
    fn what_cannot_be_read_is_refused_with_the_piece_at_fault() {
        for (text, fault) in [
            ("", "none is named"),
            (" , ,", "none is named"),
            ("tpu", "'tpu' is not known"),
            ("cpu,(a=b)", "'' is not known"),
            ("cuda(device_id=0", "'(' without ')'"),
            ("cuda)", "')' without '('"),
            ("cuda(a=b)x", "goes on after its ')'"),
            ("cuda(device_id)", "'device_id' in 'cuda(device_id)' must be KEY=VALUE"),
            ("cuda(=1)", "must be KEY=VALUE"),
            ("cuda(a=1;b)", "'b' in 'cuda(a=1;b)' must be KEY=VALUE"),
            ("auto(device_id=0)", "'auto' takes no options"),
            ("cp\0u", "NUL"),
        ] {
            let e = read(text).unwrap_err();
            assert!(e.contains(fault), "{text}: {e}");
        }
    }

    #[test]
    fn a_missing_library_is_named_with_what_to_install() {
        let said = "/x/provider_bridge.cc:2195 TryGetProviderInfo_CUDA Failed to load library \
                    libonnxruntime_providers_cuda.so with error: libcudnn.so.9: cannot open shared object file: No such \
                    file or directory";
        let text = reason("Failed to load shared library", Some(said));
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
