"""Sessions to token ids with named spans, through the tokenizer's own chat template or a plain one.
The only room that knows templates; no torch.
"""

from __future__ import annotations

from scbench.prompts.byte_tokenizer import ByteTokenizer
from scbench.prompts.conversation import Conversation
from scbench.prompts.rendering import Rendering, rendering_of
from scbench.prompts.stops import Stops
from scbench.prompts.templates import Plain, Wording
from scbench.prompts.thinking import Thinking
from scbench.prompts.tokenizer import HfTokenizer, Message, Tokenizer
from scbench.prompts.tokens import Encoded, Prompt, Tokens

__all__ = [
    "ByteTokenizer",
    "Conversation",
    "Encoded",
    "HfTokenizer",
    "Message",
    "Plain",
    "Prompt",
    "Rendering",
    "Stops",
    "Thinking",
    "Tokenizer",
    "Tokens",
    "Wording",
    "rendering_of",
]
