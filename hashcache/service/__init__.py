"""What the service is for, in terms of content and money: no HTTP, no store's or vendor's technology."""
