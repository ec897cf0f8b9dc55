"""Where new programs come from: proposers, and the gates that they have to pass before they are measured."""
