//! Checkpoints of a training: weights, velocities, losses so far.

use std::path::Path;

use candle_core::{DType, Device, Tensor};
use nn::tensors::{self, Tensors};
use nn::{Params, Sgd};

use crate::error::{Error, Result};
use crate::files::LARGEST;
use crate::store::write_atomic;

/// The progress of a training.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Progress {
    /// The loss of every iteration; their number is the next iteration.
    pub losses: Vec<f32>,
    /// Seconds of training so far.
    pub seconds: f64,
}

/// A checkpoint read from a file.
#[derive(Debug)]
pub struct Checkpoint {
    params: Tensors,
    velocities: Tensors,
    /// The progress of the training.
    pub progress: Progress,
}

const PARAM: &str = "param.";
const VELOCITY: &str = "velocity.";
const LOSSES: &str = "losses";
const SECONDS: &str = "seconds";
/// The BLAKE3 checksum of all other tensors.
const SUM: &str = "sum";

impl Checkpoint {
    /// Writes a checkpoint, atomically: the previous one stays until the new one
    /// is complete.
    ///
    /// # Errors
    /// [`Error::File`] if it cannot be written, [`Error::Network`] if the tensors cannot be read.
    pub fn write(path: &Path, params: &Params, sgd: &Sgd, progress: &Progress) -> Result<()> {
        let named = |prefix: &'static str, tensors: Tensors| {
            tensors.into_iter().map(move |(name, tensor)| (format!("{prefix}{name}"), tensor))
        };
        let mut all: Tensors = named(PARAM, params.tensors()).collect();
        all.extend(named(VELOCITY, sgd.velocities().clone()));
        let mut number = |name: &str, tensor: candle_core::Result<Tensor>| -> Result<()> {
            all.insert(name.to_owned(), tensor.map_err(Error::network("writing a checkpoint"))?);
            Ok(())
        };
        number(LOSSES, Tensor::from_slice(&progress.losses, progress.losses.len(), &Device::Cpu))?;
        number(SECONDS, Tensor::from_slice(&[progress.seconds], 1, &Device::Cpu))?;
        let summed = sum(&all).and_then(|sum| Tensor::from_slice(&sum, sum.len(), &Device::Cpu));
        all.insert(SUM.to_owned(), summed.map_err(Error::network("writing a checkpoint"))?);
        let bytes = tensors::to_bytes(&all).map_err(Error::network("writing a checkpoint"))?;
        write_atomic(path, &bytes)
    }

    /// Reads a checkpoint; `None` if there is none.
    ///
    /// # Errors
    /// [`Error::File`] if it cannot be read, [`Error::Damaged`] if it is not a valid checkpoint.
    pub fn read(path: &Path) -> Result<Option<Self>> {
        Self::read_bytes(path, LARGEST)?.map(|bytes| Self::parse(&bytes, path)).transpose()
    }

    /// Reads the bytes of a checkpoint, at most `most`; `None` if there is none.
    ///
    /// # Errors
    /// [`Error::File`], also if the file is longer.
    pub fn read_bytes(path: &Path, most: u64) -> Result<Option<Vec<u8>>> {
        Ok(base::files::read_if_there(path, most)?)
    }

    /// Returns the maximum bytes of a checkpoint of these parameters: weights, velocities and the losses of a long training.
    pub fn most_bytes(params: &Params) -> u64 {
        params.bytes().saturating_mul(2).saturating_add(base::files::TEXT)
    }

    /// Parses the bytes of a checkpoint, which were read from `path`.
    ///
    /// # Errors
    /// [`Error::Damaged`] if they are not a valid checkpoint.
    pub fn parse(bytes: &[u8], path: &Path) -> Result<Self> {
        let mut all = tensors::from_bytes(bytes, &Device::Cpu).map_err(Error::damaged(path))?;
        let told = all.remove(SUM).and_then(|t| t.to_vec1::<u8>().ok());
        if told.as_deref() != Some(&sum(&all).map_err(Error::damaged(path))?) {
            return Err(Error::damaged(path)("its checksum does not match its contents"));
        }
        let losses = all.remove(LOSSES).and_then(|t| t.to_vec1::<f32>().ok());
        let seconds =
            all.remove(SECONDS).and_then(|t| t.to_vec1::<f64>().ok()).and_then(|v| v.first().copied());
        let (Some(losses), Some(seconds)) = (losses, seconds) else {
            return Err(Error::damaged(path)("it lacks the losses or the training time"));
        };
        let part = |prefix: &str| -> Tensors {
            let named = |(name, tensor): (&String, &Tensor)| {
                Some((name.strip_prefix(prefix)?.to_owned(), tensor.clone()))
            };
            all.iter().filter_map(named).collect()
        };
        let (params, velocities) = (part(PARAM), part(VELOCITY));
        Ok(Self { params, velocities, progress: Progress { losses, seconds } })
    }

    /// Restores weights and velocities.
    ///
    /// # Errors
    /// [`Error::Damaged`] if the checkpoint is of a different network.
    pub fn restore(&self, params: &Params, sgd: &mut Sgd, path: &Path) -> Result<()> {
        params
            .set_tensors(&self.params)
            .and_then(|()| sgd.set_velocities(&self.velocities))
            .map_err(Error::damaged(path))
    }
}

/// Computes the checksum of names, types, shapes and values.
fn sum(tensors: &Tensors) -> candle_core::Result<[u8; 32]> {
    let mut hasher = blake3::Hasher::new();
    for (name, tensor) in tensors {
        let (dtype, dims) = (tensor.dtype(), tensor.dims());
        hasher.update(format!("{name} {dtype:?} {dims:?}\n").as_bytes());
        let flat = tensor.to_device(&Device::Cpu)?.flatten_all()?;
        let bytes: Vec<u8> = match dtype {
            DType::F64 => flat.to_vec1::<f64>()?.into_iter().flat_map(f64::to_le_bytes).collect(),
            _ => flat.to_vec1::<f32>()?.into_iter().flat_map(f32::to_le_bytes).collect(),
        };
        hasher.update(&bytes);
    }
    Ok(*hasher.finalize().as_bytes())
}

#[cfg(test)]
mod tests {
    use nn::Init;

    use super::*;

    fn net() -> (Params, Sgd) {
        let params = Params::new(&Device::Cpu);
        params.builder(1).param("weight", (2, 3), Init::HeNormal { fan_in: 3 }).unwrap();
        let sgd = Sgd::of(&params, 0.9, 0.0).unwrap();
        (params, sgd)
    }

    #[test]
    fn a_checkpoint_comes_back_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("checkpoint.safetensors");
        let (params, sgd) = net();
        let progress = Progress { losses: vec![2.5, 2.25], seconds: 1.5 };
        assert!(Checkpoint::read(&path).unwrap().is_none());
        Checkpoint::write(&path, &params, &sgd, &progress).unwrap();

        let (other, mut sgd) = net();
        other
            .get("weight")
            .unwrap()
            .var()
            .set(&Tensor::zeros((2, 3), candle_core::DType::F32, &Device::Cpu).unwrap())
            .unwrap();
        let checkpoint = Checkpoint::read(&path).unwrap().unwrap();
        checkpoint.restore(&other, &mut sgd, &path).unwrap();
        assert_eq!(checkpoint.progress, progress);
        let values = |p: &Params| p.tensors()["weight"].to_vec2::<f32>().unwrap();
        assert_eq!(values(&other), values(&params));
    }

    #[test]
    fn no_bit_of_a_checkpoint_changes_unseen() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("checkpoint.safetensors");
        let (params, sgd) = net();
        Checkpoint::write(&path, &params, &sgd, &Progress { losses: vec![2.5], seconds: 1.5 }).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        for bit in 0..8 * bytes.len() {
            let mut other = bytes.clone();
            other[bit / 8] ^= 1 << (bit % 8);
            // Changed white space of the header goes undetected.
            let seen = Checkpoint::parse(&other, &path).is_err();
            assert!(seen || other.trim_ascii_end() == bytes.trim_ascii_end(), "bit {bit}");
        }
    }

    #[test]
    fn a_cut_off_checkpoint_is_an_error_that_names_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("checkpoint.safetensors");
        let (params, sgd) = net();
        Checkpoint::write(&path, &params, &sgd, &Progress::default()).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        for length in [0, 7, 8, bytes.len() / 2, bytes.len() - 1] {
            std::fs::write(&path, &bytes[..length]).unwrap();
            let message = Checkpoint::read(&path).unwrap_err().to_string();
            assert!(message.contains("checkpoint.safetensors"), "{length}: {message}");
        }
    }
}
