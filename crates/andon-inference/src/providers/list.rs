// SPDX-License-Identifier: MPL-2.0
//! The property `execution-providers`: a list of providers with their options.

use std::{path::Path, time::Duration};

use super::provider::{Provider, Requested};
use crate::{Error, runtime};

/// What is wrong with a list of providers.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum ListError {
    #[error("it names no provider")]
    Empty,
    #[error("'{0}' is not known")]
    Unknown(String),
    #[error("'auto' takes no options: name the provider that they are for")]
    AutoWithOptions,
    #[error("there is text after the ')' of '{0}'")]
    Trailing(String),
    #[error("'{piece}' in '{item}' must be KEY=VALUE")]
    Option { piece: String, item: String },
    #[error("it contains a NUL")]
    Nul,
    #[error("')' without '(' in '{0}'")]
    Unopened(String),
    #[error("'(' without ')' in '{0}'")]
    Unclosed(String),
}

/// Reads the providers that a text requests, in order: names with their options in parentheses, as in
/// `tensorrt,openvino(device_type=GPU;num_streams=2),cpu`, or `auto` for the best of what the runtime library has.
///
/// `;` or `,` separates options. A piece after a `,` that has no `=` belongs to the value before it, so that
/// `openvino(device_type=AUTO:GPU,CPU)` reads as it looks. Loads the runtime library.
pub(crate) fn requested(text: &str) -> Result<Vec<Requested>, Error> {
    let offered = |p: Provider| p.offered().unwrap_or(false) && (p != Provider::Cuda || may_have_cuda());
    let all = parse(text, offered).map_err(|problem| {
        let known: Vec<_> = Provider::ALL.iter().map(|p| p.name()).collect();
        let here: Vec<_> =
            Provider::ALL.into_iter().filter(|p| p.offered().unwrap_or(false)).map(Provider::name).collect();
        Error::Providers { problem: problem.to_string(), known: known.join(", "), here: here.join(", ") }
    })?;
    Ok(all)
}

/// Splits a list of providers into texts that request one provider each. `auto` becomes the providers that the runtime
/// library has. Loads the library.
///
/// # Errors
/// [`Error::Providers`] if the text is not a list of providers, and errors of loading the library.
pub fn requested_providers(text: &str) -> Result<Vec<String>, Error> {
    runtime::environment()?;
    Ok(requested(text)?.iter().map(Requested::to_string).collect())
}

/// How long loading may take on providers that compile nothing, and on those that do.
const PLAIN: Duration = Duration::from_secs(60);
const COMPILING: Duration = Duration::from_secs(15 * 60);

/// Returns how long loading a model may take where nobody says it: a minute, or a quarter of an hour if one of the requested
/// providers compiles it (see [`Provider::compiles`]). `auto` may take such a one. Loads nothing.
pub fn patience(providers: &str) -> Duration {
    let compiles = parse(providers, |_| true).is_ok_and(|all| all.iter().any(|one| one.provider.compiles()));
    if compiles { COMPILING } else { PLAIN }
}

/// Reads a list; `good` says which providers `auto` may take.
fn parse(text: &str, good: impl Fn(Provider) -> bool) -> Result<Vec<Requested>, ListError> {
    let mut all: Vec<Requested> = Vec::new();
    for item in split(text, &[','])? {
        let (name, options) = match item.split_once('(') {
            None => (item, Vec::new()),
            Some((name, rest)) => {
                let inner = rest.strip_suffix(')').ok_or_else(|| ListError::Trailing(item.into()))?;
                (name.trim(), options(item, inner)?)
            }
        };
        if name.eq_ignore_ascii_case("auto") {
            if !options.is_empty() {
                return Err(ListError::AutoWithOptions);
            }
            for provider in Provider::AUTO {
                if good(provider) && all.iter().all(|w| w.provider != provider) {
                    all.push(Requested { provider, options: Vec::new() });
                }
            }
            continue;
        }
        let provider = Provider::named(name).ok_or_else(|| ListError::Unknown(name.into()))?;
        all.push(Requested { provider, options });
    }
    if all.is_empty() { Err(ListError::Empty) } else { Ok(all) }
}

/// The options between the parentheses of `item`.
fn options(item: &str, inner: &str) -> Result<Vec<(String, String)>, ListError> {
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
                _ => return Err(ListError::Option { piece: piece.into(), item: item.into() }),
            }
        }
    }
    Ok(options)
}

/// Splits at separators outside parentheses, trims the pieces, and drops empty ones.
fn split<'a>(text: &'a str, separators: &[char]) -> Result<Vec<&'a str>, ListError> {
    let (mut depth, mut start, mut pieces) = (0_u32, 0, Vec::new());
    for (i, c) in text.char_indices() {
        match c {
            '\0' => return Err(ListError::Nul),
            '(' => depth += 1,
            ')' => depth = depth.checked_sub(1).ok_or_else(|| ListError::Unopened(text.into()))?,
            c if depth == 0 && separators.contains(&c) => {
                pieces.push(&text[start..i]);
                start = i + c.len_utf8();
            }
            _ => {}
        }
    }
    if depth > 0 {
        return Err(ListError::Unclosed(text.into()));
    }
    pieces.push(&text[start..]);
    Ok(pieces.into_iter().map(str::trim).filter(|p| !p.is_empty()).collect())
}

/// Returns whether there may be an NVIDIA GPU, by the device files of the driver, of WSL and of Jetsons. Without one
/// `auto` does not try CUDA, and so does not report that it failed.
fn may_have_cuda() -> bool {
    ["/dev/nvidiactl", "/dev/dxg", "/dev/nvhost-gpu", "/dev/nvgpu", "/dev/nvmap"].iter().any(|p| Path::new(p).exists())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_compiles_has_a_quarter_of_an_hour_and_all_else_a_minute() {
        for (text, seconds) in [
            ("cpu", 60),
            ("dnnl,xnnpack,cpu", 60),
            ("no such list", 60),
            ("tensorrt,cpu", 900),
            ("cpu,openvino(device_type=AUTO:GPU,CPU)", 900),
            ("CoreMLExecutionProvider", 900),
            ("auto", 900),
        ] {
            assert_eq!(patience(text).as_secs(), seconds, "{text}");
        }
    }

    fn read(text: &str) -> Result<Vec<String>, ListError> {
        let good = |p| [Provider::OpenVino, Provider::Cpu].contains(&p);
        Ok(parse(text, good)?.iter().map(Requested::to_string).collect())
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
            ("", "it names no provider"),
            (" , ,", "it names no provider"),
            ("tpu", "'tpu' is not known"),
            ("cpu,(a=b)", "'' is not known"),
            ("cuda(device_id=0", "'(' without ')'"),
            ("cuda)", "')' without '('"),
            ("cuda(a=b)x", "there is text after the ')'"),
            ("cuda(device_id)", "'device_id' in 'cuda(device_id)' must be KEY=VALUE"),
            ("cuda(=1)", "must be KEY=VALUE"),
            ("cuda(a=1;b)", "'b' in 'cuda(a=1;b)' must be KEY=VALUE"),
            ("auto(device_id=0)", "'auto' takes no options"),
            ("cp\0u", "NUL"),
        ] {
            let e = read(text).unwrap_err().to_string();
            assert!(e.contains(fault), "{text}: {e}");
        }
    }
}
