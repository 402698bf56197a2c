//! Named tensors as safetensors bytes, read and written through buffers.

use std::collections::BTreeMap;
use std::path::Path;

use candle_core::{DType, Device, Tensor};

use crate::{Error, Result};

/// Largest file that is read, in bytes.
const LARGEST: u64 = 64 << 30;

/// Tensors by name, in name order.
pub type Tensors = BTreeMap<String, Tensor>;

/// Converts tensors to safetensors bytes.
///
/// # Errors
/// If a tensor cannot be read back from its device.
pub fn to_bytes(tensors: &Tensors) -> Result<Vec<u8>> {
    safetensors::serialize(tensors.iter(), None).map_err(|error| Error::Format { reason: error.to_string() })
}

/// Parses tensors from safetensors bytes.
///
/// # Errors
/// If the bytes are not a complete safetensors file.
pub fn from_bytes(bytes: &[u8], device: &Device) -> Result<Tensors> {
    let format = |reason| Error::Format { reason };
    let header = safetensors::SafeTensors::read_metadata(bytes).map_err(|e| format(e.to_string()))?;
    let infos: BTreeMap<_, _> = header.1.tensors().into_iter().collect();
    for (name, info) in infos {
        // A side of zero hides an overflow of the other sides from the parser.
        let mut sides = info.shape.iter().filter(|side| **side > 0);
        if sides.try_fold(1usize, |size, &side| size.checked_mul(side)).is_none() {
            return Err(format(format!("`{name}` has the impossible shape {:?}", info.shape)));
        }
    }
    let tensors = candle_core::safetensors::load_buffer(bytes, device);
    let tensors = tensors.map_err(|error| format(error.to_string()))?;
    Ok(tensors.into_iter().collect())
}

/// Reads the tensors of a file.
///
/// # Errors
/// If the file cannot be read, is not a complete safetensors file, or holds a number that is not finite.
pub fn read(path: &Path, device: &Device) -> Result<Tensors> {
    read_at_most(path, LARGEST, device)
}

/// Reads the tensors of a file of at most `most` bytes.
///
/// # Errors
/// See [`read`].
pub fn read_at_most(path: &Path, most: u64, device: &Device) -> Result<Tensors> {
    let tensors = from_bytes(&base::files::read(path, most)?, device)?;
    check_finite(&tensors)?;
    Ok(tensors)
}

/// Checks that tensors hold no infinity or NaN, with which the outputs of a network are meaningless.
///
/// # Errors
/// [`Error::NotFinite`] with the first such tensor.
pub fn check_finite(tensors: &Tensors) -> Result<()> {
    for (name, tensor) in tensors {
        if !tensor.dtype().is_float() {
            continue;
        }
        let values = tensor.to_device(&Device::Cpu)?.flatten_all()?.to_dtype(DType::F32)?.to_vec1::<f32>()?;
        let mut odd = values.iter().filter(|value| !value.is_finite());
        if let Some(first) = odd.next() {
            let found = format!("{first} ({} of {} values)", odd.count() + 1, values.len());
            return Err(Error::NotFinite { name: name.clone(), found });
        }
    }
    Ok(())
}

/// Checks that `stored` holds exactly the tensors of `expected`, by name, type and shape.
///
/// # Errors
/// An error that names the tensors that are missing, surplus or different.
pub fn check_same_layout(expected: &Tensors, stored: &Tensors) -> Result<()> {
    let lacking = |of: &Tensors, from: &Tensors| -> Vec<String> {
        let names = of.keys().filter(|name| !from.contains_key(*name));
        names.cloned().collect()
    };
    let names = lacking(expected, stored);
    if !names.is_empty() {
        return Err(Error::MissingTensors { names });
    }
    let names = lacking(stored, expected);
    if !names.is_empty() {
        return Err(Error::SurplusTensors { names });
    }
    for ((name, expected), stored) in expected.iter().zip(stored.values()) {
        if expected.dims() != stored.dims() || expected.dtype() != stored.dtype() {
            return Err(Error::TensorMismatch {
                name: name.clone(),
                expected: format!("{:?} {:?}", expected.dtype(), expected.dims()),
                found: format!("{:?} {:?}", stored.dtype(), stored.dims()),
            });
        }
    }
    Ok(())
}
