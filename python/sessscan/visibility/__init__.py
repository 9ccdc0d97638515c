"""Tell for each place that shows sessions whether it shows one of them, and by which rule."""
