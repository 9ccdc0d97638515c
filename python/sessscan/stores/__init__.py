"""Where stores are, and what their files say."""
