//! Tests of every architecture: agreement with PyTorch and with its summary, and training.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod adopt;
mod alex_net;
mod bn_inception;
mod classifier;
mod cnn_m_2048;
mod graph;
mod names;
mod numbers;
mod poolings;
mod pyramid;
mod res_net_50;
mod segments;
mod siamese;
mod st_res_net;
mod support;
mod toy;
mod vgg_16;
