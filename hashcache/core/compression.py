"""
Payloads made smaller with zstd (RFC 8878) where that helps, and what one may come back as.

Rule 1: a frame states how large its content is, and that is compared with what the envelope says before anything is
        decompressed. A frame that does not state it is refused; ours always do.
Rule 2: a frame that lies gets no room: one byte more than was declared is the end.
Rule 3: one frame and nothing else: nothing that is skipped, no second frame, no tail, no dictionary.
"""

from __future__ import annotations

import sys

from hashcache.core.errors import EntryRefused

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

#: A payload up to this size is left as it is: the time would cost more than the room.
SMALL = 1024
_LEVEL = 3
#: 8 MiB, which every decoder should support and no encoder should exceed (RFC 8878 section 3.1.1.1.2).
_WINDOW = {int(zstd.DecompressionParameter.window_log_max): 23}


def compressed(payload: bytes) -> bytes | None:
    """*payload* as one frame; None when it is small or would not become smaller."""
    if len(payload) <= SMALL:
        return None
    frame = zstd.compress(payload, level=_LEVEL)
    return frame if len(frame) < len(payload) else None


def decompressed(frame: bytes, *, size: int) -> bytes:
    """
    The *size* bytes that *frame* holds; *size* is more than 0 and known to be allowed.

    Raises:
        EntryRefused: `size` when the frame declares another size or none, `codec` for all else that is wrong with it.
    """
    try:
        if zstd.get_frame_info(frame).decompressed_size != size:
            raise EntryRefused("size")
        decompressor = zstd.ZstdDecompressor(options=_WINDOW)
        payload = decompressor.decompress(frame, max_length=size + 1)
    except zstd.ZstdError:
        raise EntryRefused("codec") from None
    if not decompressor.eof or decompressor.unused_data:
        raise EntryRefused("codec")
    return payload
