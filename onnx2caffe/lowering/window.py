"""The windows of a pooling along one axis, in ONNX and in Caffe."""

from __future__ import annotations

from dataclasses import dataclass

from gluon2caffe.onnx2caffe.layers import pooled_size


@dataclass(frozen=True)
class Window:
    """The windows of one axis: window i covers start + i·stride + j·dilation for j < kernel, and i < count.

    Positions count from the first value of the input, so `start` is minus the pad before.
    """

    size: int
    kernel: int
    stride: int
    before: int
    after: int
    count: int
    dilation: int = 1

    @property
    def reach(self) -> int:
        """Positions from the first value of a window to its last."""
        return self.dilation * (self.kernel - 1) + 1

    def taps(self, index: int) -> range:
        """The positions of window `index`."""
        start = index * self.stride - self.before
        return range(start, start + self.reach, self.dilation)

    def in_caffe(self) -> tuple[int, int] | None:
        """(pad, windows to cut in front) of a Caffe pooling with these windows among its own; None if there is none."""
        for skipped in range(self.kernel):
            pad = self.before + skipped * self.stride
            if pad >= self.kernel:
                return None
            if pooled_size(self.size, self.kernel, self.stride, pad) >= skipped + self.count:
                return pad, skipped
        return None

    def drops_last(self, pad: int) -> bool:
        """Whether Caffe, with this pad, drops a last window since it would start in the padding."""
        return bool(pad) and (pooled_size(self.size + 2 * pad, self.kernel, self.stride, 0)) > pooled_size(
            self.size, self.kernel, self.stride, pad
        )

    def has_empty(self, pad: int) -> bool:
        """Whether Caffe, with this pad, makes a window that lies wholly outside its input."""
        made = pooled_size(self.size, self.kernel, self.stride, pad)
        return (made - 1) * self.stride - pad >= self.size or self.kernel <= pad

    def starts_outside(self) -> bool:
        """Whether the last window starts beyond the input."""
        return (self.count - 1) * self.stride - self.before >= self.size

    def used_length(self) -> int:
        """How much of an unpadded input the windows reach."""
        return min(self.size, (self.count - 1) * self.stride + self.reach)

    def last_end(self) -> int:
        """One beyond the last position that the windows cover."""
        return (self.count - 1) * self.stride - self.before + self.reach

    def in_convolution(self) -> int:
        """How many windows a convolution makes beyond `count`, with the pad `before` on both sides or whole windows."""
        beyond = max(0, self.last_end() - self.size)
        behind = beyond if self.before != beyond else self.before
        return (self.size + self.before + behind - self.reach) // self.stride + 1 - self.count

    def inside(self, index: int, *, padded: bool) -> int:
        """Number of positions of window `index` that lie in the input, or in the padded input."""
        low, high = (-self.before, self.size + self.after) if padded else (0, self.size)
        return sum(low <= tap < high for tap in self.taps(index))
