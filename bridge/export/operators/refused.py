"""MXNet's operators that have no translation, and why; source of docs/mxnet-operators.md and of error texts."""

from fnmatch import fnmatchcase
from typing import Final

from gluon2caffe.bridge.mxnet_files.registered import OPERATORS

_TRAINING = "optimisers, losses and targets exist in training only; cut the net before them"
_RANDOM = "random numbers"
_INT8 = "quantised; convert the float net that it was made from"
_CONTROL = "loops, conditions and code outside the symbol; Caffe has none"
_REGIONS = "proposals and pooling over regions that are data; stock Caffe has no such layer"
_SAMPLING = "samples at computed positions between pixels; no stock Caffe layer does"
_ROUNDING = "Caffe has no rounding layer, and rounding tricks break on readers that fuse layers"
_DATA = "its result depends on an order, a count or places that are data"
_PICTURES = "reads or augments pictures; do that before the net"
_MATRICES = "matrix decompositions and triangles; no vision net is known to use them"
_NUMPY = "of MXNet 2's numpy interface; no published vision symbol is known to use it. Try: export the net with MXNet 1"
_FOREIGN = "graphs, spectra and statistics; no vision net is known to use it"
_ATTENTION = "interleaved attention of language models; no vision net is known to use it"
_SPECIAL = "a special function without an ONNX counterpart"
_ASSIGN = "writes into a part of a tensor"
_SPARSE = "sparse storage"
_MEASURED = "a shape used as data; sizes are fixed when a net is converted"
_UNFOLDED = "unfolded windows; write the net with Convolution"

# Reason -> operators, with * for any letters. The first reason that fits counts.
_BY_REASON: Final = {
    _TRAINING: "*_update *_update_phase? *multi_*_update* *lamb_update* multi_lars multi_sum_sq *all_finite "
    "reset_arrays CTCLoss softmax_cross_entropy _contrib_MultiBoxTarget _contrib_box_encode "
    "_contrib_bipartite_matching _onehot_encode _contrib_round_ste _contrib_sign_ste _npx_constraint_check "
    "amp_multicast",
    _RANDOM: "_random_* _sample_* _shuffle _npi_bernoulli _npi_choice _npi_exponential _npi_gamma _npi_gumbel "
    "_npi_logistic _npi_multinomial _npi_normal* _npi_pareto _npi_rayleigh _npi_uniform* _npi_weibull",
    _INT8: "_contrib_quanti* _contrib_requantize _contrib_dequantize _contrib_calibrate_entropy _sg_mkldnn_*",
    _CONTROL: "_foreach _while_loop _cond _CachedOp* Custom _CustomFunction",
    _REGIONS: "ROIPooling _contrib_ROIAlign _contrib_RROIAlign _contrib_Proposal _contrib_MultiProposal "
    "_contrib_PSROIPooling _contrib_DeformablePSROIPooling",
    _SAMPLING: "BilinearSampler GridGenerator SpatialTransformer _contrib_DeformableConvolution "
    "_contrib_ModulatedDeformableConvolution",
    _ROUNDING: "fix rint round trunc _mod _mod_scalar _rmod_scalar broadcast_mod",
    _DATA: "sort argsort _contrib_boolean_mask _contrib_index_* batch_take _contrib_box_iou _contrib_allclose "
    "_histogram _ravel_multi_index _unravel_index scatter_nd nansum nanprod",
    _PICTURES: "_cv* _imdecode _image_adjust* _image_random* _image_flip* _image_resize",
    _MATRICES: "_linalg_[!g]* _linalg_gelqf _linalg_gemm diag khatri_rao",
    _NUMPY: "_np_* _npi_* _npx_*",
    _FOREIGN: "_contrib_dgl_* _contrib_edge_id _contrib_fft _contrib_ifft _contrib_count_sketch _contrib_hawkesll",
    _ATTENTION: "_contrib_interleaved_*",
    _SPECIAL: "gamma gammaln erfinv cbrt rcbrt",
    _ASSIGN: "_slice_assign* _scatter_* _set_value fill_element_0index",
    _SPARSE: "cast_storage _sparse_retain _square_sum _contrib_SparseEmbedding _contrib_getnnz",
    _MEASURED: "shape_array size_array",
    _UNFOLDED: "im2col col2im",
}


def refusal_reason(operator: str) -> str | None:
    """Return why an operator of MXNet has no translation; None for others."""
    if operator not in OPERATORS:
        return None
    return next(
        (
            reason
            for reason, patterns in _BY_REASON.items()
            if any(fnmatchcase(operator, pattern) for pattern in patterns.split())
        ),
        None,
    )


def refused_operators() -> dict[str, str]:
    """Return all operators of MXNet that have no translation, and why."""
    reasons = {name: refusal_reason(name) for name in sorted(OPERATORS)}
    return {name: reason for name, reason in reasons.items() if reason is not None}
