//! Setting the precision of a device.

use candle_core::{Device, Result, bail};

use super::Precision;

impl Precision {
    /// Sets this precision for all further products on the device.
    ///
    /// # Errors
    /// If the device does not support it.
    pub fn set(self, device: &Device) -> Result<()> {
        match (device, self) {
            #[cfg(feature = "cuda")]
            (Device::Cuda(device), precision) => {
                crate::cuda::Gpu::of(device).map(|gpu| gpu.set_precision(precision))
            }
            (_, Self::Fp32) => Ok(()),
            (_, Self::Tf32) => {
                bail!("products in tf32 need an NVIDIA GPU; set the precision to fp32, or use --device cuda")
            }
        }
    }
}
