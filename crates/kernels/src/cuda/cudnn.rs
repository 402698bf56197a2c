//! Convolutions by cuDNN: all three products, on feature maps and weights with channels last.

pub(super) mod plan;

use std::ffi::c_void;

use candle_core::Result;
use candle_core::cuda_backend::cudarc::cudnn::result;

use super::lock::lock;
use super::memory::Address;
use super::{Buffer, Gpu};
use crate::conv::geometry::Geometry;
use plan::{Convolutions, failed};

/// Factor of one for cuDNN; the other factor is zero, so outputs are overwritten.
const ONE: f32 = 1.0;
const ZERO: f32 = 0.0;

fn pointer(value: &f32) -> *const c_void {
    std::ptr::from_ref(value).cast()
}

fn read(values: &impl Address) -> *const c_void {
    values.address() as *const c_void
}

fn write(values: &mut impl Address) -> *mut c_void {
    values.address() as *mut c_void
}

impl Convolutions {
    /// Computes the product, or returns `false` if cuDNN has no algorithm for it.
    pub(super) fn forward(
        &self,
        gpu: &Gpu,
        g: &Geometry,
        x: &impl Address,
        weight: &Buffer,
        out: &mut Buffer,
    ) -> Result<bool> {
        let Some(plan) = self.plan(g, gpu.precision())? else { return Ok(false) };
        let Some(choice) = &plan.forward else { return Ok(false) };
        let mut room = workspace(gpu, choice.memory)?;
        let library = lock(&self.library);
        let d = &plan.descriptors;
        // SAFETY: the descriptors are alive and describe these arrays, which live until the stream has passed them.
        let done = unsafe {
            result::convolution_forward(
                library.handle,
                pointer(&ONE),
                d.x,
                read(x),
                d.weight,
                read(weight),
                choice.conv.0,
                choice.algorithm,
                write(&mut room),
                choice.memory,
                pointer(&ZERO),
                d.y,
                write(out),
            )
        };
        done.map_err(|error| failed("the output", g, error))?;
        Ok(true)
    }

    /// Computes the product, or returns `false` if cuDNN has no algorithm for it.
    pub(super) fn input_gradient(
        &self,
        gpu: &Gpu,
        g: &Geometry,
        weight: &Buffer,
        gradient: &impl Address,
        out: &mut Buffer,
    ) -> Result<bool> {
        let Some(plan) = self.plan(g, gpu.precision())? else { return Ok(false) };
        let Some(choice) = &plan.input else { return Ok(false) };
        let mut room = workspace(gpu, choice.memory)?;
        let library = lock(&self.library);
        let d = &plan.descriptors;
        // SAFETY: as in `forward`.
        let done = unsafe {
            result::convolution_backward_data(
                library.handle,
                pointer(&ONE),
                d.weight,
                read(weight),
                d.y,
                read(gradient),
                choice.conv.0,
                choice.algorithm,
                write(&mut room),
                choice.memory,
                pointer(&ZERO),
                d.x,
                write(out),
            )
        };
        done.map_err(|error| failed("the input gradient", g, error))?;
        Ok(true)
    }

    /// Computes the gradient as (O, KH, KW, C), or returns `false` if cuDNN has no algorithm for it.
    pub(super) fn weight_gradient(
        &self,
        gpu: &Gpu,
        g: &Geometry,
        x: &impl Address,
        gradient: &impl Address,
        out: &mut Buffer,
    ) -> Result<bool> {
        let Some(plan) = self.plan(g, gpu.precision())? else { return Ok(false) };
        let Some(choice) = &plan.weight else { return Ok(false) };
        let mut room = workspace(gpu, choice.memory)?;
        let library = lock(&self.library);
        let d = &plan.descriptors;
        // SAFETY: as in `forward`.
        let done = unsafe {
            result::convolution_backward_filter(
                library.handle,
                pointer(&ONE),
                d.x,
                read(x),
                d.y,
                read(gradient),
                choice.conv.0,
                choice.algorithm,
                write(&mut room),
                choice.memory,
                pointer(&ZERO),
                d.weight,
                write(out),
            )
        };
        done.map_err(|error| failed("the weights' gradient", g, error))?;
        Ok(true)
    }
}

fn workspace(gpu: &Gpu, bytes: usize) -> Result<Buffer<u8>> {
    // SAFETY: cuDNN's own, which it writes before it reads.
    unsafe { gpu.unwritten(bytes) }
}
