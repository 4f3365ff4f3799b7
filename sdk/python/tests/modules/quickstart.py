#!/usr/bin/env python3
from ixt_process_module import IxtProcessModule


class MyModule(IxtProcessModule):
    def on_init(self, config):
        """Initialize module with configuration"""
        self.db_url = config.get('database_url', 'sqlite:///data.db')
        self.log(f"Connecting to database: {self.db_url}")
        # Initialize your resources here

    def on_handle(self, message, context):
        """Handle incoming messages"""
        topic = message['topic']
        payload_data = self.decode_payload(message['payload'])
        if topic == 'my.service.process':
            result = self.process_data(payload_data)
            return self.success({
                'result': self.encode_payload(result)
            })
        elif topic == 'my.service.query':
            data = self.query_data(payload_data)
            return self.success({
                'data': self.encode_payload(data)
            })
        else:
            return self.error('UNKNOWN_TOPIC', f'Unknown topic: {topic}')

    def on_shutdown(self):
        """Clean up resources"""
        self.log("Shutting down module")
        # Close connections, save state, etc.

    def on_health_check(self):
        """Report health status (optional)"""
        return {
            'healthy': True,
            'database_connected': self.check_db_connection(),
            'requests_processed': self.request_count
        }

    # The four names that the text above leaves open.

    request_count = 0

    def process_data(self, data):
        self.request_count += 1
        return data[::-1]

    def query_data(self, data):
        self.request_count += 1
        return b'row of ' + data

    def check_db_connection(self):
        return self.db_url.startswith('sqlite:')


if __name__ == '__main__':
    MyModule().run()
