// SPDX-License-Identifier: MPL-2.0
//! An execution provider, and its registration with a session.

use std::fmt;

use ort::{
    ep::{self, ArbitrarilyConfigurableExecutionProvider, ExecutionProvider},
    session::builder::SessionBuilder,
};

use super::reason::reason;
use crate::{Error, runtime};

/// Why a provider cannot run a model. Each text follows the provider's name.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProviderError {
    /// The runtime cannot be asked.
    #[error(transparent)]
    Runtime(#[from] Box<Error>),
    /// The runtime library was built without it.
    #[error("is not in this ONNX Runtime{library}: {origin}; set ORT_DYLIB_PATH to such a library")]
    Absent {
        /// The library's path, in parentheses.
        library: String,
        /// Where to get a library that has it.
        origin: &'static str,
    },
    /// OpenVINO does not know the device.
    #[error("device_type={0} is none of {known}", known = DEVICES.join(", "))]
    Device(String),
    /// The CPU provider does not have the option.
    #[error("its only option is use_arena=0 or use_arena=1")]
    CpuOption,
    /// ONNX Runtime refused it, for this reason.
    #[error("{0}")]
    Refused(String),
}

/// Devices that OpenVINO knows, by the beginning of their names.
const DEVICES: [&str; 6] = ["CPU", "GPU", "NPU", "AUTO", "HETERO", "MULTI"];

/// An execution provider of ONNX Runtime. How the library was built decides which of them it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Provider {
    /// The CPU, by ONNX Runtime's own kernels. Every build has it.
    Cpu,
    /// NVIDIA GPUs, by cuDNN and cuBLAS.
    Cuda,
    /// NVIDIA GPUs, by an engine that is built for model and GPU at load: that takes minutes, unless it is cached.
    TensorRt,
    /// Intel CPUs, GPUs and NPUs.
    OpenVino,
    /// Intel and Arm CPUs, by oneDNN.
    Dnnl,
    /// CPUs of phones and single-board computers.
    Xnnpack,
    /// Apple's GPUs and neural engines.
    CoreMl,
    /// AMD GPUs.
    Rocm,
}

impl Provider {
    /// All providers that this version knows.
    pub const ALL: [Self; 8] =
        [Self::Cpu, Self::Cuda, Self::TensorRt, Self::OpenVino, Self::Dnnl, Self::Xnnpack, Self::CoreMl, Self::Rocm];

    /// The providers that `auto` tries, best first. TensorRT is not among them: a swap of minutes must be requested.
    pub(super) const AUTO: [Self; 5] = [Self::Cuda, Self::Rocm, Self::CoreMl, Self::OpenVino, Self::Cpu];

    /// The name in the properties `execution-providers` and `provider`.
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

    /// The provider of that name, or of ONNX Runtime's own name (`CUDAExecutionProvider`), in any case.
    pub(super) fn named(name: &str) -> Option<Self> {
        let short = name.to_ascii_lowercase();
        let short = short.strip_suffix("executionprovider").unwrap_or(&short);
        Self::ALL.into_iter().find(|p| p.name() == short)
    }

    /// Returns whether the provider compiles a model, or its own kernels for the device, when it loads one: that may take
    /// minutes.
    pub fn compiles(self) -> bool {
        !matches!(self, Self::Cpu | Self::Dnnl | Self::Xnnpack)
    }

    /// Returns whether the runtime library was built with the provider. Loads the library.
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

    /// Says where to get a library that has the provider.
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

    /// Registers the provider for the session that `to` builds.
    fn register(self, to: &mut SessionBuilder, options: &[(String, String)]) -> Result<(), ProviderError> {
        fn with<E: ArbitrarilyConfigurableExecutionProvider + ExecutionProvider>(
            provider: E,
            options: &[(String, String)],
            to: &mut SessionBuilder,
        ) -> Result<(), ProviderError> {
            let all = options.iter().fold(provider, |p, (key, value)| p.with_arbitrary_config(key, value));
            all.register(to).map_err(refused)
        }
        fn refused(error: impl fmt::Display) -> ProviderError {
            ProviderError::Refused(reason(&error.to_string(), runtime::take_logged().as_deref()))
        }
        match self {
            Self::Cpu => match options {
                [] => Ok(()),
                [(key, value)] if key == "use_arena" && ["0", "1"].contains(&value.as_str()) => {
                    ep::CPU::default().with_arena_allocator(value == "1").register(to).map_err(refused)
                }
                _ => Err(ProviderError::CpuOption),
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

/// A provider that the user requested, with its options.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Requested {
    /// The provider.
    pub provider: Provider,
    /// Keys and values as ONNX Runtime documents them for the provider.
    pub options: Vec<(String, String)>,
}

impl fmt::Display for Requested {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.provider.name())?;
        let options: Vec<_> = self.options.iter().map(|(k, v)| format!("{k}={v}")).collect();
        if options.is_empty() { Ok(()) } else { write!(f, "({})", options.join(";")) }
    }
}

impl Requested {
    /// Registers the provider for the session that `to` builds.
    ///
    /// `threads` is for a provider with a thread pool of its own; with 0 the provider decides.
    pub(crate) fn register(&self, to: &mut SessionBuilder, threads: usize) -> Result<(), ProviderError> {
        if !self.provider.offered().map_err(Box::new)? {
            let library = runtime::library().map_or_else(String::new, |p| format!(" ({})", p.display()));
            return Err(ProviderError::Absent { library, origin: self.provider.source() });
        }
        let mut options = self.options.clone();
        self.known_device()?;
        if threads > 0 && self.provider == Provider::OpenVino && options.iter().all(|(k, _)| k != "num_of_threads") {
            options.push(("num_of_threads".into(), threads.to_string()));
        }
        // Errors from here on are the provider's.
        runtime::take_logged();
        self.provider.register(to, &options)
    }

    /// Refuses an unknown device, since OpenVINO accepts it and then runs nothing on it (seen with 1.23 and 1.24).
    fn known_device(&self) -> Result<(), ProviderError> {
        let unknown = |(key, value): &&(String, String)| {
            key == "device_type" && !DEVICES.iter().any(|k| value.to_ascii_uppercase().starts_with(k))
        };
        match self.options.iter().find(unknown).filter(|_| self.provider == Provider::OpenVino) {
            Some((_, device)) => Err(ProviderError::Device(device.clone())),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_that_openvino_does_not_know_is_refused_before_it_is_asked() {
        let asked = |provider, device: &str| {
            let options = vec![("device_type".into(), device.into())];
            Requested { provider, options }.known_device().map_err(|e| e.to_string())
        };
        assert_eq!(
            asked(Provider::OpenVino, "NOPE").unwrap_err(),
            "device_type=NOPE is none of CPU, GPU, NPU, AUTO, HETERO, MULTI"
        );
        for known in ["GPU.1", "AUTO:GPU,CPU"] {
            assert_eq!(asked(Provider::OpenVino, known), Ok(()), "{known}");
        }
        assert_eq!(asked(Provider::Cuda, "NOPE"), Ok(()), "the device of another provider");
        assert!(Requested { provider: Provider::OpenVino, options: Vec::new() }.known_device().is_ok());
    }
}
